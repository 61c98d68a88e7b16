/** Data as the engine takes it: a file is read here, in the thread of the engine. */
import { PocketError } from './errors.js';
import type { Data } from './types/data.js';

interface ReadData {
  data: string | readonly object[];
  dataName?: string;
}

/** `name` comes before that of the file. */
export async function readData(data: Data, name: string | undefined): Promise<ReadData> {
  const ownName = data instanceof File ? data.name : undefined;
  const dataName = name ?? ownName;
  const read = data instanceof Blob ? await decode(data, dataName ?? 'the data') : data;
  return dataName === undefined ? { data: read } : { data: read, dataName };
}

/** The same as what is measured on. */
export function renamed({ data, dataName }: ReadData): { eval: string | readonly object[]; evalName?: string } {
  return dataName === undefined ? { eval: data } : { eval: data, evalName: dataName };
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
