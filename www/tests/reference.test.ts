/** Checks without typedoc what `npm run docs` checks: the types of the package are exported, and each of their fields is described. */
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const PACKAGE = resolve(import.meta.dirname, '../src/package');
const FILES = readdirSync(`${PACKAGE}/types`).map((name) => ({ name, text: readFileSync(`${PACKAGE}/types/${name}`, 'utf8') }));

test.each(FILES)('every type and field of $name is described', ({ text }) => {
  const lines = text.split('\n');
  let inType = false;
  const bare = lines.filter((line, at) => {
    if (/^export (interface|type) /.test(line)) inType = true;
    const named = /^export (interface|type|const) /.test(line) || (inType && /^ +(readonly )?\w+\??: /.test(line));
    if (line.startsWith('}')) inType = false;
    return named && !(lines[at - 1] ?? '').trim().endsWith('*/');
  });
  expect(bare).toEqual([]);
});

test('fields are on lines of their own, where they are described', () => {
  const inline = FILES.flatMap(({ text }) => text.split('\n').filter((line) => /^[^*]*\{ (readonly )?\w+\??: /.test(line)));
  expect(inline).toEqual([]);
});

test('the package exports all of them', () => {
  const index = readFileSync(`${PACKAGE}/index.ts`, 'utf8');
  const missing = FILES.filter(({ name }) => !index.includes(`export type * from './types/${name.replace(/ts$/, 'js')}'`)).flatMap(({ name, text }) => {
    const listed = new RegExp(`export type \\{ ([^}]*) \\} from './types/${name.replace(/\.ts$/, '')}`).exec(index)?.[1]?.split(', ') ?? [];
    return [...text.matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, each]) => each).filter((each) => !listed.includes(each ?? ''));
  });
  expect(missing).toEqual([]);
});
