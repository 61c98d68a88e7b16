/** Tests that the engine reads files of examples in wasm as it does natively, and what the page makes of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { FineTuner } from '../src/package/index.ts';
import { readData } from '../src/package/read.ts';
import type { ReadRows } from '../src/package/types/data.ts';
import type { WasmModule } from '../src/package/wasm.ts';
import { readBrought, type Questions } from '../src/page/brought.ts';
import { fieldsOf } from '../src/page/put-back.ts';
import { beginning } from '../src/page/refusal.ts';
import { counted, read, split, thinned, type Parsed, type Row } from '../src/page/rows.ts';
import { ended, formFor, prepared, promptOf, proposeOpenings, understood, type Writing } from '../src/page/writing.ts';
import { FAKE } from './browser.ts';
import { loadEngine } from './wasm-engine.ts';

const FILES = new URL('../../tests/rows/', import.meta.url);
const expected = JSON.parse(readFileSync(new URL('expected.json', FILES), 'utf8')) as Record<string, { error?: string } & Partial<ReadRows>>;

let engine: WasmModule;
/** Like `FineTuner.readRows`, without a worker. */
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
    expect(await read(tuner, letter, 'the examples')).toMatchObject({ kind: 'free', writing: { as: 'text', text: letter } });
    const pair = { prompt: 'a', completion: 'b' };
    expect(await read(tuner, JSON.stringify(pair), 'the examples')).toMatchObject({ kind: 'free', writing: { as: 'answers', rows: [pair] } });
  });

  /** What a model that writes learns from the data without any questions; `asks` if the page asks a person. */
  const learned = async (data: string, name = 'the examples'): Promise<Writing | 'asks'> => {
    const nothing: Questions = { known: undefined, answers: undefined, prose: undefined, format: {}, wanted: {}, isOpen: true, consider: () => undefined };
    const found = await readBrought(tuner, data, name, nothing, true);
    if (found.kind === 'labelled') throw new Error('found labels');
    return found.kind === 'free' ? found.writing : 'asks';
  };
  const two = [
    { prompt: 'Where is the key?', completion: 'Under the mat.' },
    { prompt: 'When do you open?', completion: 'At nine, every day.' },
  ];

  test.each([
    ['question,answer\nWhere is the key?,Under the mat.\nWhen do you open?,"At nine, every day."\n'],
    ['prompt\tcompletion\nWhere is the key?\tUnder the mat.\nWhen do you open?\tAt nine, every day.\n'],
    ['Instruction;Output\nWhere is the key?;Under the mat.\nWhen do you open?;At nine, every day.\n'],
    ['instruction,input,output\nWhere is the key?,,Under the mat.\nWhen do you open?,,"At nine, every day."\n'],
    ['{"question": "Where is the key?", "answer": "Under the mat."}\n{"question": "When do you open?", "answer": "At nine, every day."}\n'],
    ['Q: Where is the key?\nA: Under the mat.\nQ: When do you open?\nA: At nine, every day.\n'],
    ['User: Where is the key?\nAssistant: Under the mat.\n\nUser: When do you open?\nAssistant: At nine, every day.\n'],
  ])('questions and answers are learned as such, not as running text: %j', async (data) => {
    expect(await learned(data)).toEqual({ as: 'answers', rows: two });
    expect(await learned(data, 'faq.txt')).toEqual({ as: 'answers', rows: two });
  });

  const texts = ['Ahoy, friend!', 'Where have I been? At sea!', 'Ha! Two\nlines.'];
  const cells = texts.map((text) => JSON.stringify(text).replaceAll('\\n', '\n'));

  test.each([
    [['text', ...cells].join('\r\n'), 'replies.csv', 'text'],
    [['Reply', ...cells].join('\n'), 'replies.csv', 'Reply'],
    [cells.join('\n'), 'replies.csv', undefined],
    [['Message', ...cells].join('\n'), 'replies.tsv', 'Message'],
    [['text', ...cells].join('\n'), 'the examples', 'text'],
    [texts.map((text) => JSON.stringify({ text })).join('\n'), 'replies.jsonl', 'text'],
    [texts.map((text) => JSON.stringify({ reply: text })).join('\n'), 'replies.jsonl', undefined],
  ])('the only column has texts to write like, each of its own: %j as %s', async (data, name, column) => {
    expect(await learned(data, name)).toEqual({ as: 'texts', rows: texts });
    const { said } = (await read(tuner, data, name, { format: name.endsWith('l') ? 'jsonl' : 'csv' })) as Parsed & { kind: 'free' };
    expect(said).toEqual(column === undefined ? [] : [`The first row, “${column}”, is taken as the name of the column.`]);
    // A model that sorts lets a person label them.
    const none: Questions = { known: undefined, answers: undefined, prose: undefined, format: {}, wanted: {}, isOpen: false, consider: () => undefined };
    if (name !== 'the examples') expect(await readBrought(tuner, data, name, none, false)).toEqual({ kind: 'unlabelled', texts, problems: [] });
  });

  test('an instruction with its input is one question', async () => {
    const rows = [{ prompt: 'Translate\n\nGuten Tag', completion: 'Good day' }];
    expect(await learned('instruction,input,output\nTranslate,Guten Tag,Good day\n')).toEqual({ as: 'answers', rows });
  });

  test.each([
    ['{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}\n'],
    ['[{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}]'],
  ])('chats are learned as such: %j', async (data) => {
    const rows = [{ messages: [{ role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Hello' }] }];
    expect(await learned(data)).toMatchObject({ as: 'chats', rows });
    expect(await learned(data, 'chats.txt')).toMatchObject({ as: 'chats', rows });
  });

  test.each([
    ['Wo ist der Schlüssel?\tAuf dem Tisch.\nWann macht ihr auf?\tUm neun.\n', 'the examples'],
    ['Wo ist der Schlüssel?;Auf dem Tisch.\nWann macht ihr auf?;Um neun.\n', 'fragen.txt'],
    ['asked,replied\nWhere is the key?,Under the mat.\nWhen do you open?,At nine.\n', 'the examples'],
    ['asked,replied\nWhere is the key?,Under the mat.\nWhen do you open?,At nine.\n', 'faq.csv'],
    ['{"asked": "Where is the key?", "replied": "Under the mat."}\n{"asked": "When?", "replied": "At nine."}\n', 'the examples'],
    ['1|Where is the key?|Under the mat.\n2|When do you open?|At nine.\n', 'the examples'],
  ])('of other columns, a person is asked what they are: %j', async (data, name) => {
    expect(await learned(data, name)).toBe('asks');
  });

  test.each([
    ['Dear Anna,\nit rains; we stay in.'],
    ['Tyger Tyger, burning bright,\nIn the forests of the night;\nWhat immortal hand or eye,\nCould frame thy fearful symmetry?'],
    ['Rose, where are you?\nHere, in the garden.\nCome in, it rains.\nNo, I like it.'],
    ['one line without an end'],
    ['# Notes\n\n- milk\n- bread\n\nCall the plumber, the roofer and the neighbor.'],
  ])('running text is learned as it is: %j', async (data) => {
    expect(await learned(data)).toEqual({ as: 'text', text: data });
    expect(await learned(data, 'notes.txt')).toEqual({ as: 'text', text: data });
  });

});

test('questions and answers take the form that the model knows', () => {
  const rows = [{ prompt: 'Where?', completion: 'Here.' }];
  const plain: Writing = { as: 'answers', rows };
  // What follows each question in a sample is added once.
  expect([ended('Where? ', ' ->'), ended('Where? ->', ' ->'), ended('Where?')]).toEqual(['Where? ->', 'Where? ->', 'Where?']);
  const spaced: Writing = { as: 'answers', rows: [{ prompt: 'Where? ->', completion: ' Here.' }] };
  expect([formFor(plain, true), formFor(plain, false), formFor(spaced, true)]).toEqual(['chat', 'transcript', 'joined']);
  expect(prepared(plain, 'chat').data).toEqual([{ messages: [{ role: 'user', content: 'Where?' }, { role: 'assistant', content: 'Here.' }] }]);
  expect(prepared(plain, 'transcript').data).toEqual([{ prompt: 'User: Where?\nAssistant:', completion: ' Here.' }]);
  expect(prepared(plain, 'joined').data).toEqual(rows);
  expect([promptOf('Who?', 'chat'), promptOf('Who?', 'transcript'), promptOf('Who?', 'joined')]).toEqual([[{ role: 'user', content: 'Who?' }], 'User: Who?\nAssistant:', 'Who?']);
  // A model without a chat template learns each answer of a conversation after what was said before it.
  const talk = { messages: ['Hi', 'Hello', 'Who?', 'Me'].map((content, at) => ({ role: at % 2 === 0 ? 'user' : 'assistant', content })) };
  expect(prepared({ as: 'chats', rows: [talk] }, 'transcript').data).toEqual([
    { prompt: 'User: Hi\nAssistant:', completion: ' Hello' },
    { prompt: 'User: Hi\nAssistant: Hello\nUser: Who?\nAssistant:', completion: ' Me' },
  ]);
});

test('texts are learned as such, and openings are the first half of some', () => {
  const rows = Array.from({ length: 30 }, (_, at) => `Ahoy, I am text number ${at}, and I go on for a while.`);
  const writing: Writing = { as: 'texts', rows };
  expect(formFor(writing, true)).toBe('joined');
  const { data } = prepared(writing, 'joined');
  expect(data).toEqual(rows.map((text) => ({ text })));
  expect(understood(data)).toEqual(writing);
  const { openings, rest, aside } = proposeOpenings(writing);
  expect([openings, aside]).toEqual([['Ahoy, I am text number 10,', 'Ahoy, I am text number 20,'], 2]);
  expect(rest).toEqual({ as: 'texts', rows: rows.filter((_, at) => at !== 10 && at !== 20) });
  expect(proposeOpenings({ as: 'texts', rows: ['Yes, of course!', '雨が降っています'] }).openings).toEqual(['Yes, of', '雨が降っ']);
});

test('openings are proposed from examples that are kept aside, if there are many', () => {
  const rows = Array.from({ length: 30 }, (_, at) => ({ prompt: `Question ${at}?`, completion: `Answer ${at}.` }));
  const { openings, rest, aside } = proposeOpenings({ as: 'answers', rows });
  expect([openings, aside]).toEqual([['Question 10?', 'Question 20?'], 2]);
  expect(rest).toEqual({ as: 'answers', rows: rows.filter((_, at) => at !== 10 && at !== 20) });
  expect(proposeOpenings({ as: 'answers', rows: rows.slice(0, 5) })).toMatchObject({ openings: ['Question 0?', 'Question 1?'], aside: 0 });
  const text = 'It was a dark and stormy night, and the rain fell in torrents.\n\nIn our street the lamps struggled against the darkness.';
  expect(proposeOpenings({ as: 'text', text }).openings).toEqual(['It was a dark and stormy night,', 'In our street the lamps']);
});

test('a part of each label is held out, the same each time', () => {
  const row = (label: string) => (_: unknown, at: number): Row => ({ text: `${label}${at}`, label });
  const rows = [...Array.from({ length: 90 }, row('often')), ...Array.from({ length: 8 }, row('rare')), ...Array.from({ length: 2 }, row('twice'))];
  const { train, heldOut } = split(rows, 0.2, 400);
  const held = (label: string): number => heldOut.filter((each) => each.label === label).length;
  expect([held('often'), held('rare'), held('twice'), train.length]).toEqual([18, 2, 0, 80]);
  expect(split(rows, 0.2, 400)).toEqual({ train, heldOut });
  expect(new Set([...train, ...heldOut].map(({ text }) => text)).size).toBe(100);
  // The held-out rows are not the first ones of the file, which often belong together.
  expect(heldOut.map(({ text }) => text)).not.toEqual(rows.slice(0, 20).map(({ text }) => text));
  expect(split(rows, 0.2, 10).heldOut.length).toBeLessThan(13);
  expect(split(rows.slice(0, 9), 0.2, 400).heldOut).toEqual([]);
  expect(split(rows, 0, 400).heldOut).toEqual([]);
});

test('a text is recognized in every encoding that is read, and a binary file is not one', () => {
  const text = 'Text;Label\r\nGrüße;Büro\r\n';
  expect(beginning(Buffer.from(text, 'latin1'))).toBe(text);
  expect(beginning(Buffer.from(text))).toBe(text);
  // A character is cut off at the end.
  expect(beginning(Buffer.from('Grüße 👪').subarray(0, 11))).toBe('Grüße ');
  const wide = Buffer.from(`\uFEFF${text}`, 'utf16le');
  expect(beginning(wide)).toBe(text);
  expect(beginning(wide.swap16())).toBe(text);
  expect(beginning(readFileSync(new URL('picture.png', FILES)))).toBeUndefined();
  for (const other of ['%PDF-1.4\n1 0 obj', '{\\rtf1\\ansi', 'PK\x03\x04']) expect(beginning(Buffer.from(other, 'latin1')), other).toBeUndefined();
});

test('copies of a text are on one side of the measurement, and are mentioned', () => {
  // Each text is there three or four times, with small differences and with any label.
  const spellings = [(text: string) => text, (text: string) => ` ${text.toUpperCase()}`, (text: string) => text.replace(' ', '\n  ')];
  const rows = Array.from({ length: 140 }, (_, at): Row => ({ text: spellings[at % 3]?.(`text ${at % 40}`) ?? '', label: ['x', 'y'][(at * 7) % 3 % 2] ?? '' }));
  const { train, heldOut } = split(rows, 0.2, 400);
  const texts = (of: readonly Row[]): Set<string> => new Set(of.map(({ text }) => text.trim().toLowerCase().replace(/\s+/, ' ')));
  expect([...texts(heldOut)].filter((text) => texts(train).has(text))).toEqual([]);
  expect(heldOut.length).toBeGreaterThan(20);
  expect(heldOut.length).toBeLessThan(34);
  expect(counted(rows, []).said[0]).toBe('40 texts appear more than once. A text is measured only by a model that has learned none of its copies.');
  expect(counted([{ text: 'a', label: 'x' }, { text: 'A ', label: 'y' }], []).said).toContain('1 text has different labels in different places.');
  // Many copies of few texts: a single one of them is more than the share.
  const few = Array.from({ length: 60 }, (_, at): Row => ({ text: `${at % 6}`, label: at % 6 < 3 ? 'x' : 'y' }));
  expect(split(few, 0.1, 400)).toMatchObject({ heldOut: { length: 20 }, train: { length: 40 } });
});

test.each([
  [['x', 'x'], 'All of them have the label “x”.'],
  [[], 'None of them has a label.'],
  [Array.from({ length: 31 }, (_, at) => String(at)), 'There are 31 different labels in the column “group”.'],
])('the labels %j are refused', (labels, message) => {
  const rows = labels.map((label): Row => ({ text: 'a', label }));
  expect(() => counted(rows, [], 'group')).toThrow(expect.objectContaining({ code: 'data-invalid', message }));
});

test('the examples of a training that was opened are in the fields again', () => {
  const rows: Row[] = [{ text: 'a', label: 'x' }, { text: 'b\n"c"', label: 'y' }];
  const labelled = { kind: 'labelled' as const, train: rows, heldOut: [], template: '', labels: [], names: new Map(), own: true };
  expect(fieldsOf(labelled, false)).toEqual({ typed: rows });
  expect(fieldsOf(labelled, true)).toBe('{"text":"a","label":"x"}\n{"text":"b\\n\\"c\\"","label":"y"}');
  const answers = [{ prompt: 'Where?', completion: 'Here.' }, { prompt: 'Who?', completion: 'Me.' }];
  for (const form of ['chat', 'transcript', 'joined'] as const) {
    const free = { kind: 'free' as const, ...prepared({ as: 'answers', rows: answers }, form), form, openings: [], own: true };
    expect(fieldsOf(free, true), form).toEqual({ typed: [], typedToWrite: { use: 'answer', texts: [], answers: answers.map(({ prompt, completion }) => ({ text: prompt, label: completion })) } });
  }
});

test('if one label is left, the rows that were left out are mentioned', () => {
  expect(() => counted([{ text: 'a', label: 'x' }], ['row 2: expected a comma'])).toThrow('All of them have the label “x”. 1 row left out: row 2: expected a comma');
});

test('rows that are thinned out are spaced evenly', () => {
  const rows = ['a', 'b', 'c', 'd', 'e'].map((label): Row => ({ text: '', label }));
  expect(thinned(rows, 2).map(({ label }) => label)).toEqual(['a', 'c']);
  expect(thinned(rows, 9)).toEqual(rows);
});
