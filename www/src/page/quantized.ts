/** Repositories that have one model in several `.gguf` files. Perhaps only some of the files fit this device. */
import { ggufFiles, type DType, type FileSize, type RemoteOptions } from 'pocketllm';
import { memoryHere } from './device.ts';
import { byId, el } from './dom.ts';
import { bytes } from './format.ts';
import { t } from './text.ts';

/** The part of a device's memory that a file may take. The rest is for the passes, the browser and everything else. */
const PART = 0.25;
/** Files that are not language models. */
const OTHER = /mmproj|imatrix/i;
/** The number of a part of a split model. */
const NUMBER = /-\d{5}(?=-of-\d{5}\.gguf$)/i;

/** The formats IQ1, IQ2, IQ3 and TQ, which the engine does not read. They are offered, but not proposed. */
const UNREAD = /iq[123]|tq\d/i;

/** The most suitable file for a device with this many bytes of memory: the largest that fits, because fewer bits are less exact, or the smallest if none fits. */
export function suited(files: readonly FileSize[], memory: number): FileSize | undefined {
  const sorted = files.filter(({ name, bytes: size }) => size !== undefined && !UNREAD.test(name)).sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0));
  return sorted.find(({ bytes: size = 0 }) => size <= memory * PART) ?? sorted.at(-1);
}

/** The precision that keeps the blocks of a file as they are. */
function dtypeOf(name: string): DType {
  if (/q8/i.test(name)) return 'q8';
  if (/q[2-6]/i.test(name)) return 'q4';
  return /f16/i.test(name) ? 'f16' : 'f32';
}

/** The models among files. A split model is named by its first part, and has the size of all parts. */
export function models(files: readonly FileSize[]): FileSize[] {
  const found = new Map<string, FileSize>();
  for (const file of files.filter(({ name }) => !OTHER.test(name))) {
    const key = file.name.replace(NUMBER, '');
    const before = found.get(key);
    if (before === undefined) found.set(key, file);
    else {
      const size = before.bytes === undefined || file.bytes === undefined ? undefined : before.bytes + file.bytes;
      const [name = file.name] = [before.name, file.name].sort();
      found.set(key, { name, ...(size === undefined ? {} : { bytes: size }) });
    }
  }
  return [...found.values()];
}

/**
 * Offers the files of a repository, with the one that suits this device chosen. Returns whether there are several. `take` gets the id of
 * a file, at first that of the proposed one.
 */
export async function offerFiles(model: string, options: RemoteOptions, take: (id: string, dtype: DType) => void): Promise<boolean> {
  const files = models(await ggufFiles(model, options));
  const proposed = suited(files, memoryHere());
  if (files.length < 2 || proposed === undefined) return false;
  const select = byId('hub-file', HTMLSelectElement);
  select.replaceChildren(
    ...files.map(({ name, bytes: size }) => {
      const words = t.device.file(name, size === undefined ? t.device.ofUnknownSize : bytes(size), name === proposed.name);
      return el('option', { value: name, ...(name === proposed.name ? { selected: '' } : {}) }, words);
    }),
  );
  const [id, revision] = model.split('@');
  const chosen = (): void => take(`${id}/${select.value}${revision === undefined ? '' : `@${revision}`}`, dtypeOf(select.value));
  select.onchange = chosen;
  byId('hub-files', HTMLElement).hidden = false;
  chosen();
  return true;
}
