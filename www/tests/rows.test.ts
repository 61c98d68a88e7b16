/** The engine reads files of examples in wasm as it does natively, and what the page makes of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { FineTuner } from '../src/package/index.ts';
import { readData } from '../src/package/read.ts';
import type { ReadRows } from '../src/package/types/data.ts';
import type { WasmModule } from '../src/package/wasm.ts';
import { counted, read, split, thinned, type Parsed, type Row } from '../src/page/rows.ts';
import { FAKE } from './browser.ts';
import { loadEngine } from './wasm-engine.ts';

const FILES = new URL('../../tests/rows/', import.meta.url);
const expected = JSON.parse(readFileSync(new URL('expected.json', FILES), 'utf8')) as Record<string, { error?: string } & Partial<ReadRows>>;

let engine: WasmModule;
/** As `FineTuner.readRows`, without a worker. */
const tuner: Pick<FineTuner, 'readRows'> = {
  readRows: async (data, { name, ...options } = {}) => {
    const file = await readData('data', data, name);
    return engine.readRows(file.data, file.name, options);
  },
};

const labelled = (parsed: Parsed): Parsed & { kind: 'labelled' } => {
  if (parsed.kind !== 'labelled') throw new Error(`found ${parsed.kind}`);
  return parsed;
};

describe.skipIf(FAKE)('with the engine', () => {
  beforeAll(async () => {
    engine = await loadEngine();
  });

  test('every odd file has an expectation', () => {
    expect(readdirSync(FILES).filter((name) => name !== 'expected.json').sort()).toEqual(Object.keys(expected).sort());
  });

  test.each(Object.keys(expected))('%s is read as it is natively', async (name) => {
    const bytes = readFileSync(new URL(name, FILES));
    const reading = tuner.readRows(new Blob([bytes]), { name });
    const wanted = expected[name];
    if (wanted?.error !== undefined) await expect(reading).rejects.toThrow(wanted.error);
    else expect(await reading).toEqual({ ...wanted, heldOut: [] });
  });

  test('rows that are left out are told by their number', async () => {
    const { rows, problems, labels } = labelled(await read(tuner, 'text,label\na,x\nb,\nc,y\n', 'the examples'));
    expect(rows.length).toBe(2);
    expect(problems).toEqual(['row 3, field `label`: expected a value, found nothing']);
    expect([...labels]).toEqual([['x', 1], ['y', 1]]);
  });

  test('text to write from is left as it is', async () => {
    const letter = 'Dear Anna,\nit rains; we stay in.';
    expect(await read(tuner, letter, 'the examples')).toMatchObject({ kind: 'free', data: letter, name: 'text.txt' });
    const pair = { prompt: 'a', completion: 'b' };
    expect(await read(tuner, JSON.stringify(pair), 'the examples')).toMatchObject({ kind: 'free', data: [pair], shown: ['ab'] });
  });

});

test('a part of each label is held out, the same each time', () => {
  const row = (label: string) => (_: unknown, at: number): Row => ({ text: `${label}${at}`, label });
  const rows = [...Array.from({ length: 90 }, row('often')), ...Array.from({ length: 8 }, row('rare')), ...Array.from({ length: 2 }, row('twice'))];
  const { train, heldOut } = split(rows, 0.2, 400);
  const held = (label: string): number => heldOut.filter((each) => each.label === label).length;
  expect([held('often'), held('rare'), held('twice'), train.length]).toEqual([18, 2, 0, 80]);
  expect(split(rows, 0.2, 400)).toEqual({ train, heldOut });
  expect(new Set([...train, ...heldOut].map(({ text }) => text)).size).toBe(100);
  // Not the first ones of the file, which often belong together.
  expect(heldOut.map(({ text }) => text)).not.toEqual(rows.slice(0, 20).map(({ text }) => text));
  expect(split(rows, 0.2, 10).heldOut.length).toBeLessThan(13);
  expect(split(rows.slice(0, 9), 0.2, 400).heldOut).toEqual([]);
  expect(split(rows, 0, 400).heldOut).toEqual([]);
});

test.each([
  [['x', 'x'], 'All of them have the label “x”.'],
  [[], 'None of them has a label.'],
  [Array.from({ length: 31 }, (_, at) => String(at)), 'There are 31 different labels in the column “group”.'],
])('the labels %j are refused', (labels, message) => {
  const rows = labels.map((label): Row => ({ text: 'a', label }));
  expect(() => counted(rows, [], 'group')).toThrow(expect.objectContaining({ code: 'data-invalid', message }));
});

test('rows that are thinned out are spaced evenly', () => {
  const rows = ['a', 'b', 'c', 'd', 'e'].map((label): Row => ({ text: '', label }));
  expect(thinned(rows, 2).map(({ label }) => label)).toEqual(['a', 'c']);
  expect(thinned(rows, 9)).toEqual(rows);
});
