/** Reads what a person has: CSV, TSV, JSON lines or plain text, for preview, counts and a held-out part. */
import { PocketError, type Example } from 'pocketllm';

export interface Row {
  text: string;
  text_b?: string;
  label: string;
}

export type Parsed =
  /** To sort: rows, and the labels in order of their number. */
  | { kind: 'labelled'; rows: Row[]; labels: Map<string, number>; problems: string[] }
  /** To write: prompt and completion, or chats, or running text. */
  | { kind: 'free'; data: string | Example[]; name: string; shown: string[]; problems: string[] };

const TEXT = ['text', 'sentence', 'message', 'review', 'content', 'body'];
const LABEL = ['label', 'class', 'category', 'sentiment', 'group'];

/** The largest file the page reads, in bytes. */
export const MAX_BYTES = 64e6;

function invalid(message: string): PocketError {
  return new PocketError('data-invalid', message);
}

/** `name`'s ending decides what the text is; without one, its look does. */
export function parse(text: string, name = ''): Parsed {
  const clean = text.replace(/^\uFEFF/, '');
  if (clean.trim() === '') throw invalid(`${name || 'the examples'}: there is nothing in it`);
  switch (kindOf(clean, name)) {
    case 'jsonl':
      return fromObjects(jsonLines(clean, name), name);
    case 'json':
      return fromObjects(jsonArray(clean, name), name);
    case 'csv':
      return fromObjects(table(clean, commaOf(clean), name), name);
    case 'tsv':
      return fromObjects(table(clean, '\t', name), name);
    default:
      return { kind: 'free', data: clean, name: 'pasted.txt', shown: clean.split(/\n\s*\n/).slice(0, 3), problems: [] };
  }
}

function kindOf(text: string, name: string): string {
  const ending = /\.(csv|tsv|jsonl|json|txt)$/i.exec(name)?.[1]?.toLowerCase();
  if (ending !== undefined) return ending;
  if (name.includes('.')) throw invalid(`${name}: expected a .csv, .tsv, .jsonl, .json or .txt file`);
  const first = text.trimStart().split('\n', 1)[0] ?? '';
  if (first.startsWith('{')) return 'jsonl';
  const names = (separator: string): boolean =>
    first.split(separator).some((column) => TEXT.concat('prompt').includes(tidy(column)));
  if (first.startsWith('[{') || first.trim() === '[') return 'json';
  if (first.includes('\t') && names('\t')) return 'tsv';
  const comma = commaOf(text);
  return first.includes(comma) && names(comma) ? 'csv' : 'txt';
}

/** Spreadsheets write semicolons where the comma is in numbers. */
function commaOf(text: string): ',' | ';' {
  const [first = ''] = text.trimStart().split('\n', 1);
  return first.includes(';') && !first.includes(',') ? ';' : ',';
}

/** The text of a file as it was saved: UTF-8, or what spreadsheets write instead. */
export async function readText(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const marked = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
  try {
    return new TextDecoder(marked, { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

const tidy = (column: string): string => column.trim().replace(/^"|"$/g, '').toLowerCase();

interface Source {
  /** Where the row stands, for messages. */
  place: string;
  fields: Record<string, unknown>;
}

function jsonLines(text: string, name: string): Source[] {
  return text.split('\n').flatMap((line, at) => {
    if (line.trim() === '') return [];
    const place = `${name && `${name}, `}line ${at + 1}`;
    let fields: unknown;
    try {
      fields = JSON.parse(line);
    } catch {
      throw invalid(`${place}: expected one JSON object a line`);
    }
    if (typeof fields !== 'object' || fields === null) throw invalid(`${place}: expected a JSON object`);
    return [{ place, fields: fields as Record<string, unknown> }];
  });
}

function jsonArray(text: string, name: string): Source[] {
  let rows: unknown;
  try {
    rows = JSON.parse(text);
  } catch (error) {
    throw invalid(`${name || 'the examples'}: expected an array of JSON objects, found ${error instanceof Error ? error.message : ''}`);
  }
  if (!Array.isArray(rows)) throw invalid(`${name || 'the examples'}: expected an array of JSON objects`);
  return rows.map((fields: unknown, at) => {
    if (typeof fields !== 'object' || fields === null) throw invalid(`${name && `${name}, `}row ${at + 1}: expected a JSON object`);
    return { place: `row ${at + 1}`, fields: fields as Record<string, unknown> };
  });
}

function table(text: string, separator: string, name: string): Source[] {
  const [header, ...records] = separated(text, separator);
  const columns = (header?.cells ?? []).map((column) => tidy(column));
  if (!columns.some((column) => [...TEXT, 'prompt'].includes(column))) {
    throw invalid(
      `${name || 'first line'}: expected the column names text${separator === '\t' ? ' (tab) ' : separator}label, found “${columns.join(', ').slice(0, 80)}”`,
    );
  }
  return records.map(({ cells, line }) => ({
    place: `line ${line}`,
    fields: Object.fromEntries(columns.map((column, at) => [column, cells[at] ?? ''])),
  }));
}

/** RFC 4180: fields in quotes may hold separators, line breaks and doubled quotes. */
export function separated(text: string, separator: string): { cells: string[]; line: number }[] {
  const records: { cells: string[]; line: number }[] = [];
  let cells: string[] = [];
  let cell = '';
  let quoted = false;
  let line = 1;
  let start = 1;
  const endRecord = (): void => {
    cells.push(cell);
    if (cells.length > 1 || cell.trim() !== '') records.push({ cells, line: start });
    cells = [];
    cell = '';
    start = line;
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '\n') line++;
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text[at + 1] === '"') cell += text[++at];
      else quoted = false;
    } else if (char === '"' && cell === '') quoted = true;
    else if (char === separator) {
      cells.push(cell);
      cell = '';
    } else if (char === '\n') endRecord();
    else if (char !== '\r') cell += char;
  }
  if (quoted) throw invalid(`line ${start}: a quotation mark is opened and never closed`);
  if (cell !== '' || cells.length > 0) endRecord();
  return records;
}

function fromObjects(sources: Source[], name: string): Parsed {
  const first = sources[0];
  if (first === undefined) throw invalid(`${name || 'the examples'}: there are no rows below the first line`);
  if ('prompt' in first.fields || 'messages' in first.fields) {
    const data = sources.map(({ fields }) => fields) as unknown as Example[];
    return { kind: 'free', data, name, shown: sources.slice(0, 3).map(({ fields }) => shownFree(fields)), problems: [] };
  }
  const labelName = LABEL.find((column) => column in first.fields);
  if (labelName === undefined) {
    throw invalid(`${first.place}: expected a column named label, found ${Object.keys(first.fields).join(', ')}`);
  }
  const rows: Row[] = [];
  const problems: string[] = [];
  const labels = new Map<string, number>();
  for (const { place, fields } of sources) {
    const text = TEXT.map((column) => fields[column]).find((value) => typeof value === 'string');
    const value = fields[labelName];
    const label = typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';
    if (typeof text !== 'string' || text.trim() === '') problems.push(`${place} has no text`);
    else if (label === '') problems.push(`${place} has no label`);
    else {
      rows.push({ text, label, ...(typeof fields['text_b'] === 'string' ? { text_b: fields['text_b'] } : {}) });
      labels.set(label, (labels.get(label) ?? 0) + 1);
    }
  }
  return counted(rows, problems, labels, name, labelName);
}

/** Rows that were typed one by one. */
export function labelledRows(rows: readonly Row[]): Parsed & { kind: 'labelled' } {
  const labels = new Map<string, number>();
  for (const { label } of rows) labels.set(label, (labels.get(label) ?? 0) + 1);
  return counted([...rows], [], labels, '', 'label');
}

function counted(rows: Row[], problems: string[], labels: Map<string, number>, name: string, labelName: string): Parsed & { kind: 'labelled' } {
  if (labels.size < 2) {
    throw invalid(`${name || 'the examples'}: expected at least two different labels, found ${labels.size === 0 ? 'none' : `only “${[...labels.keys()].join()}”`}`);
  }
  if (labels.size > 30) {
    throw invalid(`${name || 'the examples'}: expected a few different labels in the column ${labelName}, found ${labels.size}`);
  }
  return { kind: 'labelled', rows, labels: new Map([...labels].sort((a, b) => b[1] - a[1])), problems };
}

function shownFree(fields: Record<string, unknown>): string {
  if (Array.isArray(fields['messages'])) {
    return fields['messages'].map((message: { content?: unknown }) => String(message.content ?? '')).join(' / ');
  }
  return `${String(fields['prompt'])}${String(fields['completion'] ?? '')}`;
}

/** Keeps a share of the rows apart, at most `most` of them; the same rows every time. */
export function split(rows: readonly Row[], share: number, most: number): { train: Row[]; heldOut: Row[] } {
  const shuffled = [...rows];
  let state = 0x9e3779b9;
  for (let at = shuffled.length - 1; at > 0; at--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (at + 1));
    [shuffled[at], shuffled[other]] = [shuffled[other] as Row, shuffled[at] as Row];
  }
  const apart = rows.length < 10 ? 0 : Math.min(most, Math.floor(rows.length * share));
  return { train: shuffled.slice(apart), heldOut: shuffled.slice(0, apart) };
}
