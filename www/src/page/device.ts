/** What this device has, beside what a model needs. */
import { storage, type MemoryPlan, type ModelSize } from 'pocketllm';
import { bytes } from './format.ts';

export interface Need {
  /** In words, a sentence each. */
  readonly sentences: readonly string[];
  /** Whether it looks as if it will not fit. */
  readonly tight: boolean;
}

export async function need({ bytes: download, keptBytes }: ModelSize, { peak }: MemoryPlan): Promise<Need> {
  const room = await storage.room();
  const memory = (navigator as { deviceMemory?: number }).deviceMemory;
  const missing = Math.max(0, download - keptBytes);
  const free = room === undefined ? undefined : room.quota - room.used;
  const sentences: string[] = [];
  if (missing === 0 && download > 0) sentences.push(`It is on this device already, ${bytes(download)}.`);
  else {
    const here = keptBytes > 0 ? `, ${bytes(keptBytes)} of it already here` : '';
    sentences.push(`${bytes(download)} to fetch${here}${free === undefined ? '' : `; this browser has room for ${bytes(free)}`}.`);
  }
  const has = memory === undefined ? '' : `; this device says it has ${memory} GB${memory >= 8 ? ' or more' : ''} of memory`;
  sentences.push(`Training it takes ${bytes(peak)} on the GPU${has}.`);
  const full = free !== undefined && missing > free;
  const heavy = memory !== undefined && peak > memory * 0.5e9;
  if (full) sentences.push('There is not enough room for it: free some space, or delete a model below.');
  if (heavy) sentences.push('That is a lot for this device: it may run out of memory.');
  return { sentences, tight: full || heavy };
}
