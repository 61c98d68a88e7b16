/** Writes weights as `torch.save` does: a zip archive of a pickle and of one storage for each tensor. */
import { closeSync, openSync, writeSync } from 'node:fs';

const u16 = (n: number): Buffer => Buffer.from([n & 255, n >> 8]);
const u32 = (n: number): Buffer => Buffer.concat([u16(n & 0xffff), u16(n >>> 16)]);
const text = (value: string): Buffer => Buffer.concat([Buffer.from('X'), u32(Buffer.byteLength(value)), Buffer.from(value)]);
const int = (n: number): Buffer => Buffer.concat([Buffer.from('J'), u32(n)]);
const tuple = (...items: Buffer[]): Buffer => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]);
const global = (module: string, name: string): Buffer => Buffer.from(`c${module}\n${name}\n`);

/** The pickle of a dictionary of contiguous f32 tensors. */
function stateDict(tensors: readonly [string, number[]][]): Buffer {
  const entries = tensors.map(([name, shape], key) => {
    const elements = shape.reduce((product, side) => product * side, 1);
    const strides = shape.map((_, at) => shape.slice(at + 1).reduce((product, side) => product * side, 1));
    const storage = tuple(text('storage'), global('torch', 'FloatStorage'), text(String(key)), text('cpu'), int(elements));
    const hooks = Buffer.concat([global('collections', 'OrderedDict'), Buffer.from(')R')]);
    const rest = [int(0), tuple(...shape.map(int)), tuple(...strides.map(int)), Buffer.from([0x89]), hooks];
    return Buffer.concat([text(name), global('torch._utils', '_rebuild_tensor_v2'), tuple(Buffer.concat([storage, Buffer.from('Q')]), ...rest), Buffer.from('R')]);
  });
  return Buffer.concat([Buffer.from([0x80, 2]), Buffer.from('}('), ...entries, Buffer.from('u.')]);
}

/** Writes the file as repetitions of `piece`, and returns its size in bytes. */
export function writePickle(path: string, tensors: readonly [string, number[]][], piece: Buffer): number {
  const file = openSync(path, 'w');
  const directory: Buffer[] = [];
  let at = 0;
  const write = (bytes: Buffer, length = bytes.length): void => void (at += writeSync(file, bytes, 0, length));
  const member = (name: string, size: number, content: (size: number) => void): void => {
    const header = at;
    // The content begins at a multiple of 64.
    const padding = (64 - ((at + 30 + name.length + 4) % 64)) % 64;
    const extra = Buffer.concat([Buffer.from('FB'), u16(padding), Buffer.alloc(padding)]);
    const common = [u16(0), u16(0), u16(0), u16(0), u32(0), u32(size), u32(size), u16(name.length)];
    write(Buffer.concat([Buffer.from('PK\x03\x04'), u16(20), ...common, u16(extra.length), Buffer.from(name), extra]));
    content(size);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02'), u16(20), u16(20), ...common, u16(0), u16(0), u16(0), u16(0), u32(0), u32(header), Buffer.from(name)]));
  };
  const pickle = stateDict(tensors);
  member('archive/data.pkl', pickle.length, () => write(pickle));
  for (const [key, [, shape]] of tensors.entries()) {
    member(`archive/data/${key}`, 4 * shape.reduce((product, side) => product * side, 1), (size) => {
      for (let left = size; left > 0; left -= piece.length) write(piece, Math.min(left, piece.length));
    });
  }
  const [begin, entries] = [at, Buffer.concat(directory)];
  write(entries);
  write(Buffer.concat([Buffer.from('PK\x05\x06'), u16(0), u16(0), u16(directory.length), u16(directory.length), u32(entries.length), u32(begin), u16(0)]));
  closeSync(file);
  return at;
}
