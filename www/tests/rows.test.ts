/** What the page makes of a person's files and of what is pasted. */
import { describe, expect, test } from 'vitest';
import { parse, readText, split, type Parsed } from '../src/page/rows.ts';

const labelled = (parsed: Parsed): Parsed & { kind: 'labelled' } => {
  if (parsed.kind !== 'labelled') throw new Error(`found ${parsed.kind}`);
  return parsed;
};

describe('rows with labels', () => {
  const rows = [
    { text: 'Lunch, "at noon"?\nYes', label: 'friend' },
    { text: 'Pay – now', label: 'scam' },
  ];
  test.each([
    ['a table with commas', 'text,label\n"Lunch, ""at noon""?\nYes",friend\nPay – now,scam\n', ''],
    ['one with line ends of Windows, a mark of byte order and empty lines', '\uFEFFtext,label\r\n"Lunch, ""at noon""?\nYes",friend\r\n\r\nPay – now,scam\r\n', 'a.csv'],
    ['one with semicolons', 'Text;Label\n"Lunch, ""at noon""?\nYes";friend\nPay – now;scam', 'a.csv'],
    ['one with semicolons, pasted', 'label;text\nfriend;"Lunch, ""at noon""?\nYes"\nscam;Pay – now', ''],
    ['one with tabs', 'text\tlabel\n"Lunch, ""at noon""?\nYes"\tfriend\nPay – now\tscam', ''],
    ['lines of JSON', rows.map((row) => JSON.stringify(row)).join('\n'), ''],
    ['a JSON array', JSON.stringify(rows, null, 1), 'a.json'],
    ['a JSON array, pasted', JSON.stringify(rows), ''],
    ['other names of columns', 'message,category\n"Lunch, ""at noon""?\nYes",friend\nPay – now,scam', ''],
  ])('%s', (_, text, name) => {
    expect(labelled(parse(text, name)).rows).toEqual(rows);
  });

  test('rows without text or label are left out, and told by line', () => {
    const { rows: kept, problems, labels } = labelled(parse('text,label\na,x\n,x\nb,\nc,y\n'));
    expect(kept.length).toBe(2);
    expect(problems).toEqual(['line 3 has no text', 'line 4 has no label']);
    expect([...labels]).toEqual([['x', 1], ['y', 1]]);
  });

  test.each([
    ['', '', 'there is nothing in it'],
    ['text,label\n', '', 'there are no rows'],
    ['text,label\na,x\nb,x\n', '', 'at least two different labels, found only “x”'],
    ['text,label\n"a,x\n', '', 'never closed'],
    ['a;b\n1;2\n', 'my.csv', 'my.csv: expected the column names text;label, found “a, b”'],
    ['{"text": "a"\n', 'a.jsonl', 'a.jsonl, line 1: expected one JSON object'],
    ['{"text": "a"}', 'a.json', 'a.json: expected an array of JSON objects'],
    ['[{"text": "a"}, 5]', 'a.json', 'a.json, row 2: expected a JSON object'],
    ['x', 'photo.png', 'photo.png: expected a .csv'],
  ])('%j is refused', (text, name, message) => {
    expect(() => parse(text, name)).toThrow(message);
  });
});

test('text to write from is left as it is', () => {
  expect(parse('Dear Anna,\nit rains; we stay in.')).toMatchObject({ kind: 'free', name: 'pasted.txt' });
  expect(parse('{"prompt": "a", "completion": "b"}')).toMatchObject({ kind: 'free', data: [{ prompt: 'a', completion: 'b' }] });
});

test.each([
  ['UTF-8', [0x66, 0xc3, 0xbc, 0x72]],
  ['UTF-16 as spreadsheets export it', [0xff, 0xfe, 0x66, 0, 0xfc, 0, 0x72, 0]],
  ['what Windows wrote before', [0x66, 0xfc, 0x72]],
])('%s is read as it was meant', async (_, bytes) => {
  expect(await readText(new File([new Uint8Array(bytes)], 'a.csv'))).toBe('für');
});

test('a part is kept aside, the same each time', () => {
  const rows = Array.from({ length: 50 }, (_, at) => ({ text: String(at), label: 'a' }));
  const { train, heldOut } = split(rows, 0.2, 400);
  expect([train.length, heldOut.length]).toEqual([40, 10]);
  expect(split(rows, 0.2, 400)).toEqual({ train, heldOut });
  expect(new Set([...train, ...heldOut]).size).toBe(50);
  expect(split(rows.slice(0, 9), 0.2, 400).heldOut).toEqual([]);
});
