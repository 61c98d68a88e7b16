/**
 * A link that holds a training record, in the fragment after the `#`, which a browser never sends to a server.
 *
 * The bytes, in base64url: the version, which is 1; a byte that is 1 if the rest is compressed (raw deflate); the first 8 bytes of the
 * SHA-256 of the uncompressed rest; and the rest. The rest is the length of the JSON (u32), the JSON ({@link Sender}), and the record with
 * its tail transposed.
 */
import { PocketError } from 'pocketllm';
import { isBuiltIn, type BuiltInName } from './built-in.ts';
import { readHead, RECORD_BYTES, type RecordHead } from './record-head.ts';
import { t } from './text.ts';

/** The word between the `#` and the bytes. */
export const WORD = 'training=';
const VERSION = 1;
/** Bytes before the rest. */
const BEFORE = 10;
const HASH_BYTES = 8;
/** The longest link that is offered, and the largest record that is decompressed from one: a few kilobytes could expand to gigabytes. */
export const MOST_CHARS = 100_000;
const MOST_BYTES = 8e6;
/** The longest name of a model and of a training. Labels have any length, because a record has its labels too. */
export const NAME_LENGTH = 80;
/** A model of the hub, and nothing that could be an address or a path. */
const HUB = /^[\w-][\w.-]*(\/[\w-][\w.-]*){0,6}(@[\w-][\w./-]*)?(:[\w-]+)?$/;

/** Where the base model is from. A person who opens the link chooses the files of another model. */
export type Base = { kind: 'built-in'; name: BuiltInName } | { kind: 'hub'; id: string } | { kind: 'files' };

/** What the sender's page adds to the record. */
export interface Sender {
  readonly base: Base;
  /** The name of the base model, and of the training. */
  readonly modelName: string;
  readonly name: string;
  /** The person's label for each label word. */
  readonly names: readonly (readonly [word: string, label: string])[];
}

export interface Shared extends Sender {
  readonly record: Blob;
  readonly head: RecordHead;
}

/** The fragment: the part of the address after the `#`. */
export async function encode(sender: Sender, record: Blob): Promise<string> {
  const json = new TextEncoder().encode(JSON.stringify(sender));
  const rest = new Uint8Array(await new Blob([new Uint32Array([json.length]), json, transposed(new Uint8Array(await record.arrayBuffer()), true)]).arrayBuffer());
  const small = await through(rest, new CompressionStream('deflate-raw'), Infinity);
  const packed = small.length < rest.length;
  const bytes = new Uint8Array(await new Blob([new Uint8Array([VERSION, packed ? 1 : 0]), await hash(rest), packed ? small : rest]).arrayBuffer());
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return WORD + btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/**
 * What a link holds. Anybody may have made it, so nothing in it is trusted.
 *
 * @throws PocketError `file-corrupt` if the link is damaged, or is not a link of this page.
 */
export async function decode(fragment: string): Promise<Shared> {
  const refuse = (why: string): PocketError => new PocketError('file-corrupt', why);
  const text = fragment.replace(/^#/, '').slice(WORD.length);
  if (!/^[\w-]+$/.test(text)) throw refuse(t.link.damaged);
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
  } catch {
    throw refuse(t.link.damaged);
  }
  if (bytes[0] !== VERSION && bytes.length > BEFORE) throw refuse(t.link.newer);
  if (bytes.length <= BEFORE || (bytes[1] ?? 2) > 1) throw refuse(t.link.damaged);
  const packed = bytes.slice(BEFORE);
  const rest = bytes[1] === 1 ? await through(packed, new DecompressionStream('deflate-raw'), MOST_BYTES).catch(() => new Uint8Array()) : packed;
  const expected = await hash(rest);
  if (rest.length < 4 || expected.some((byte, at) => byte !== bytes[2 + at])) throw refuse(t.link.damaged);
  const length = new DataView(rest.buffer).getUint32(0, true);
  if (4 + length > rest.length) throw refuse(t.link.damaged);
  const sender = readSender(rest.subarray(4, 4 + length));
  const record = new Blob([transposed(rest.slice(4 + length), false)]);
  const head = await readHead(record);
  if (sender === undefined || head === undefined) throw refuse(t.link.foreign);
  return { ...sender, record, head };
}

/** What the sender's page wrote, if it has the right form. */
function readSender(bytes: Uint8Array): Sender | undefined {
  let found: Partial<Record<keyof Sender, unknown>>;
  try {
    found = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as typeof found;
  } catch {
    return undefined;
  }
  if (typeof found !== 'object' || found === null) return undefined;
  const base = readBase(found.base);
  const { modelName, name, names } = found;
  const isName = (word: unknown): word is string => typeof word === 'string' && word.length <= NAME_LENGTH;
  const isPair = (pair: unknown): pair is [string, string] => Array.isArray(pair) && pair.length === 2 && pair.every((word) => typeof word === 'string');
  if (base === undefined || !isName(modelName) || !isName(name) || !Array.isArray(names) || !names.every(isPair)) return undefined;
  return { base, modelName, name, names };
}

function readBase(found: unknown): Base | undefined {
  const { kind, name, id } = (found ?? {}) as Record<string, unknown>;
  if (kind === 'files') return { kind };
  if (kind === 'built-in' && typeof name === 'string' && isBuiltIn(name)) return { kind, name };
  if (kind === 'hub' && typeof id === 'string' && HUB.test(id) && !id.includes('..')) return { kind, id };
  return undefined;
}

/**
 * The record with the bytes of its steps transposed: the first bytes of all steps, then the second bytes, and so on. Numbers that most
 * steps share thus become runs, which compress well. `forth` is true to transpose and false to undo it.
 */
function transposed(record: Uint8Array, forth: boolean): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(record);
  const start = headerEnd(record);
  const steps = Math.floor((record.length - start) / RECORD_BYTES);
  for (let step = 0; step < steps; step++) {
    for (let byte = 0; byte < RECORD_BYTES; byte++) {
      const [one, other] = [start + step * RECORD_BYTES + byte, start + byte * steps + step];
      if (forth) made[other] = record[one] ?? 0;
      else made[one] = record[other] ?? 0;
    }
  }
  return made;
}

/** Where the JSON of a record's header ends. The exact position does not matter, as long as both directions use the same one. */
function headerEnd(record: Uint8Array): number {
  if (record.length < 16) return record.length;
  return Math.min(record.length, 16 + new DataView(record.buffer, record.byteOffset).getUint32(12, true));
}

async function hash(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)).slice(0, HASH_BYTES);
}

/** The bytes after a stream has compressed or decompressed them. Rejects if there are more than `most`. */
async function through(bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    length += value.length;
    if (length > most) {
      await reader.cancel();
      throw new PocketError('file-corrupt', t.link.damaged);
    }
    parts.push(value);
  }
}
