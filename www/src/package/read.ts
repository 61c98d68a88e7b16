/** Data in the engine's form: the bytes or the text of a file, and the file's name. */
import { PocketError, type ErrorCode } from './errors.js';
import type { Data } from './types/data.js';

/** `field` is the name for data that have none. `name` replaces a file's own name. */
export async function readData(field: string, data: Data, name: string | undefined): Promise<{ data: string | Uint8Array; name: string }> {
  if (typeof data === 'string') return { data, name: name ?? field };
  if (!(data instanceof Blob)) return { data: rows(field, data), name: `${field}.json` };
  const given = name ?? (data instanceof File ? data.name : field);
  return { data: await bytesOf(given, data, 'data-invalid'), name: given };
}

/** The bytes of a file. A browser refuses to read one that has changed since it was picked or listed. */
export async function bytesOf(name: string, blob: Blob, code: ErrorCode): Promise<Uint8Array> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (cause) {
    throw new PocketError(code, `${name}: the file could not be read (${String(cause)})`, { cause });
  }
}

/** The rows as JSON. An unpaired surrogate, which `slice` can leave at a text's end, becomes U+FFFD. */
function rows(field: string, data: readonly object[]): string {
  try {
    return JSON.stringify(data, (_, value: unknown) => (typeof value === 'string' ? value.toWellFormed() : value));
  } catch (cause) {
    throw new PocketError('data-invalid', `${field}: expected rows of plain texts, found ${String(cause)}`, { cause });
  }
}
