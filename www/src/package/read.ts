/** Data as the engine takes it: the text of a file, and a name whose ending says of what kind. */
import { PocketError } from './errors.js';
import type { Data } from './types/data.js';

/** What the names of its columns make a table. */
const COLUMNS = [
  ['text', 'label'],
  ['prompt', 'completion'],
];

/** `field` is what the data are called where they have no name; `name` comes before that of a file. */
export async function readData(field: 'data' | 'eval', data: Data, name: string | undefined): Promise<{ text: string; name: string }> {
  if (typeof data !== 'string' && !(data instanceof Blob)) return { text: rows(field, data), name: `${field}.json` };
  const given = name ?? (data instanceof File ? data.name : undefined);
  const text = typeof data === 'string' ? data : await decode(data, given ?? field);
  return { text, name: given ?? `${field}.${looks(text)}` };
}

/** The rows as JSON. Half a character, as `slice` leaves it at a text's end, becomes a replacement character. */
function rows(field: string, data: readonly object[]): string {
  try {
    return JSON.stringify(data, (_, value: unknown) => (typeof value === 'string' ? value.toWellFormed() : value));
  } catch (cause) {
    throw new PocketError('data-invalid', `${field}: expected rows of plain texts, found ${String(cause)}`, { cause });
  }
}

/** What a text without a name is, by its beginning. */
function looks(text: string): 'csv' | 'tsv' | 'jsonl' | 'json' | 'txt' {
  const [first = ''] = text.replace(/^\uFEFF/, '').trimStart().split('\n', 1);
  if (/^\[\s*(\{|$)/.test(first)) return 'json';
  if (first.startsWith('{') && isJson(first)) return 'jsonl';
  const isTable = (separator: string): boolean => {
    const columns = first.split(separator).map((column) => column.trim().replace(/^"|"$/g, '').toLowerCase());
    return COLUMNS.some((needed) => needed.every((column) => columns.includes(column)));
  };
  return isTable('\t') ? 'tsv' : isTable(',') ? 'csv' : 'txt';
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Strictly: a letter that is not UTF-8 would otherwise be learned as a question mark. */
async function decode(file: Blob, name: string): Promise<string> {
  let bytes: ArrayBuffer;
  try {
    bytes = await file.arrayBuffer();
  } catch (cause) {
    throw new PocketError('data-invalid', `${name}: the file could not be read`, { cause });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new PocketError('data-invalid', `${name}: expected text in UTF-8, found other bytes: save the file as UTF-8`, { cause });
  }
}
