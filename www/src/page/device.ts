/** What this device has, beside what a model needs. */
import { storage, type MemoryPlan, type ModelSize } from 'pocketllm';
import { bytes } from './format.ts';

export interface Need {
  /** In words, a sentence each. */
  readonly sentences: readonly string[];
  /** Whether it looks as if it will not fit. */
  readonly tight: boolean;
}

/** How the GPU's work is to be cut: measured, but not where it is computed on the CPU, for which the default was made. */
export async function tilesHere(): Promise<'auto' | 'untuned'> {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<{ info?: { isFallbackAdapter?: boolean } } | null> } }).gpu;
  const adapter = await gpu?.requestAdapter().catch(() => null);
  return adapter?.info?.isFallbackAdapter === false ? 'auto' : 'untuned';
}

/** `size` is absent for a model that is on this device already. */
export async function need(size: ModelSize | undefined, { peak }: MemoryPlan): Promise<Need> {
  const memory = (navigator as { deviceMemory?: number }).deviceMemory;
  const { sentences, tight } = size === undefined ? { sentences: [], tight: false } : await toFetch(size);
  const has = memory === undefined ? '' : `; this device says it has ${memory} GB${memory >= 8 ? ' or more' : ''} of memory`;
  const heavy = memory !== undefined && peak > memory * 0.5e9;
  return {
    sentences: [
      ...sentences,
      `Training it takes ${bytes(peak)} on the GPU${has}.`,
      ...(tight ? ['There is not enough room for it: free some space, or delete a model below.'] : []),
      ...(heavy ? ['That is a lot for this device: it may run out of memory.'] : []),
    ],
    tight: tight || heavy,
  };
}

/** What is to be fetched, and whether there is room for it. */
async function toFetch({ bytes: download, keptBytes }: ModelSize): Promise<Need> {
  const room = await storage.room();
  const missing = Math.max(0, download - keptBytes);
  if (missing === 0 && download > 0) return { sentences: [`It is on this device already, ${bytes(download)}.`], tight: false };
  const free = room === undefined ? undefined : room.quota - room.used;
  const here = keptBytes > 0 ? `, ${bytes(keptBytes)} of it already here` : '';
  const has = free === undefined ? '' : `; this browser has room for ${bytes(free)}`;
  return { sentences: [`${bytes(download)} to fetch${here}${has}.`], tight: free !== undefined && missing > free };
}
