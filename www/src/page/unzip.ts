/**
 * Opens zip archives that a person chooses as a model, such as those that the page saves. Files that are stored without compression become
 * slices of the archive's Blob, so they are not copied. The directory at the archive's end is used (PKWARE's APPNOTE, 4.3).
 */
import { PocketError } from 'pocketllm';
import { ReadoutArchive } from './problem.ts';
import { t } from './text.ts';

const END = { signature: 0x06054b50, bytes: 22 };
const ENTRY = { signature: 0x02014b50, bytes: 46 };
const LOCAL = { signature: 0x04034b50, bytes: 30 };
const MAX_COMMENT = 0xffff;
/** An archive of more than 4 GB or 65,535 files has these values in place of the actual sizes and numbers. */
const [FAR, MANY] = [0xffffffff, 0xffff];
const [STORED, DEFLATED] = [0, 8];
const ENCRYPTED = 1;

/** The files, where each archive among them is replaced by its files. */
export async function unpacked(files: readonly File[]): Promise<File[]> {
  const each = files.map(async (file) => (/\.zip$/i.test(file.name) ? unzip(file) : [file]));
  return (await Promise.all(each)).flat();
}

/**
 * The files of an archive, by their paths in it. A directory that has all of them is left out.
 *
 * @throws PocketError `file-corrupt` if it is damaged or cut off, or is encrypted or compressed in a way that is not read;
 * `model-unsupported` if it holds a readout of a sentence encoder.
 */
export async function unzip(archive: File): Promise<File[]> {
  const refuse = (why: string): PocketError => new PocketError('file-corrupt', `${archive.name}: ${why}`);
  const view = async (from: number, bytes: number): Promise<DataView> => {
    if (from < 0 || from + bytes > archive.size) throw refuse(t.loading.zipDamaged);
    return new DataView(await archive.slice(from, from + bytes).arrayBuffer());
  };
  const tail = Math.min(archive.size, END.bytes + MAX_COMMENT);
  const last = await view(archive.size - tail, tail);
  let end = tail - END.bytes;
  while (end >= 0 && last.getUint32(end, true) !== END.signature) end--;
  if (end < 0) throw refuse(t.loading.zipDamaged);
  const [entries, length, start] = [last.getUint16(end + 10, true), last.getUint32(end + 12, true), last.getUint32(end + 16, true)];
  if (entries === MANY || start === FAR) throw refuse(t.loading.zipTooLarge);
  const directory = await view(start, length);
  const found: File[] = [];
  let at = 0;
  for (let entry = 0; entry < entries; entry++) {
    if (at + ENTRY.bytes > length || directory.getUint32(at, true) !== ENTRY.signature) throw refuse(t.loading.zipDamaged);
    const number = (offset: number): number => directory.getUint16(at + offset, true);
    const [flags, method, names, next] = [number(8), number(10), number(28), ENTRY.bytes + number(28) + number(30) + number(32)];
    const [packed, size, header] = [20, 24, 42].map((offset) => directory.getUint32(at + offset, true)) as [number, number, number];
    if (at + next > length) throw refuse(t.loading.zipDamaged);
    const path = new TextDecoder().decode(new Uint8Array(directory.buffer, at + ENTRY.bytes, names));
    at += next;
    const name = path.replaceAll('\\', '/');
    // Skips directories and what macOS adds to an archive.
    if (name === '' || name.endsWith('/') || name.startsWith('__MACOSX/')) continue;
    if ([packed, size, header].includes(FAR)) throw refuse(t.loading.zipTooLarge);
    if ((flags & ENCRYPTED) !== 0 || ![STORED, DEFLATED].includes(method)) throw refuse(t.loading.zipUnread(name));
    const local = await view(header, LOCAL.bytes);
    if (local.getUint32(0, true) !== LOCAL.signature) throw refuse(t.loading.zipDamaged);
    const from = header + LOCAL.bytes + local.getUint16(26, true) + local.getUint16(28, true);
    if (from + packed > archive.size || (method === STORED && packed !== size)) throw refuse(t.loading.zipDamaged);
    const part = archive.slice(from, from + packed);
    const content = method === STORED ? part : await inflated(part, size);
    if (content === undefined) throw refuse(t.loading.zipDamaged);
    found.push(new File([content], name));
  }
  // sentence-transformers applies this layer after pooling. Without it the model would have forgotten what it learned.
  if (found.some(({ name }) => name.endsWith('2_Dense/config.json'))) throw new ReadoutArchive(archive.name);
  const [top = ''] = /^[^/]+\//.exec(found[0]?.name ?? '') ?? [];
  return top === '' || !found.every(({ name }) => name.startsWith(top)) ? found : found.map((file) => new File([file], file.name.slice(top.length)));
}

/** The inflated file, or `undefined` if its size is not what the directory says. It stops as soon as there are too many bytes. */
async function inflated(part: Blob, size: number): Promise<Blob | undefined> {
  let left = size;
  const bounded = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform: (chunk, controller) => {
      left -= chunk.length;
      if (left < 0) controller.error(new Error('more bytes than the directory says'));
      else controller.enqueue(chunk);
    },
  });
  try {
    const blob = await new Response(part.stream().pipeThrough(new DecompressionStream('deflate-raw')).pipeThrough(bounded)).blob();
    return left === 0 ? blob : undefined;
  } catch {
    return undefined;
  }
}
