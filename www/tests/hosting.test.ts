/** Tests that the files for static hosts say what the page's policy says. `POCKETLLM_WRITE=1` writes them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { HEADERS, HOSTING, META_POLICY } from '../build/policy.ts';
import { SITE } from './browser.ts';

const WWW = resolve(import.meta.dirname, '..');
const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');

test('the files in hosting/ are written from the policy', () => {
  for (const [name, text] of Object.entries(HOSTING)) {
    if (process.env['POCKETLLM_WRITE'] !== undefined) writeFileSync(join(WWW, 'hosting', name), text);
    expect(read(WWW, 'hosting', name)).toBe(text);
  }
});

test('each of them sets every header to the same value', () => {
  const line = { _headers: /^ {2}([\w-]+): (.*)$/gm, 'nginx.conf': /^add_header ([\w-]+) '(.*)' always;$/gm, Caddyfile: /^\t\t([\w-]+) `(.*)`$/gm };
  for (const [name, pattern] of Object.entries(line)) {
    const set = [...read(WWW, 'hosting', name).matchAll(pattern)].map(([, header = '', value = '']) => [header, value.replaceAll("\\'", "'")]);
    expect(Object.fromEntries(set), name).toEqual(HEADERS);
  }
});

test('the built site has the same policy in its markup, in _headers and in its service worker', () => {
  expect(read(SITE, 'index.html')).toContain(`<meta http-equiv="Content-Security-Policy" content="${META_POLICY}" />`);
  // Everything that fetches comes after the policy.
  expect(read(SITE, 'index.html').indexOf(META_POLICY)).toBeLessThan(read(SITE, 'index.html').search(/<(link|script|style|img)/));
  expect(read(SITE, '_headers')).toBe(HOSTING['_headers']);
  expect(read(SITE, 'sw.js')).toContain(JSON.stringify(HEADERS));
});
