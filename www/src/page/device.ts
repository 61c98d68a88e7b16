/** Compares what a model needs with what this device has. */
import { findAdapter, storage, type MemoryPlan, type ModelSize } from 'pocketllm';
import { t } from './text.ts';

export interface Need {
  /** What the model needs, in full sentences. */
  readonly sentences: readonly string[];
  /** Why the model probably does not fit, and whether that is for lack of memory. */
  readonly warnings: readonly string[];
  readonly short: boolean;
  /** Bytes of storage that are left for the page after the model. */
  readonly free: number;
}

/**
 * The `tiles` option for this device: the tile configurations are measured on a GPU. Software
 * adapters use the defaults, which were chosen for the CPU.
 */
export async function tilesHere(): Promise<'auto' | 'untuned'> {
  return (await hasGpu()) ? 'auto' : 'untuned';
}

/** Whether WebGPU finds anything to compute on. Otherwise the engine uses the processor. */
export const hasWebGpu = async (): Promise<boolean> => (await findAdapter()) !== null;

/** The name that the engine reports for the adapter when it computes on the processor. */
export const PROCESSOR = 'cpu';

/** What to call the memory of the device on which the engine runs. */
export const memoryName = async (): Promise<string> => ((await hasWebGpu()) ? t.device.gpuMemory : t.device.memory);

/** The memory in bytes that a tab can use without a GPU: WebAssembly has 4 GB, and growing its memory needs room. */
export const TAB_MEMORY = 3e9;

/** Whether this device has a hardware GPU that the browser may use. */
export const hasGpu = async (): Promise<boolean> => (await findAdapter())?.info?.isFallbackAdapter === false;

/** The memory in bytes that the browser reports; 4 GB where it reports none, as Safari and Firefox. */
export const memoryHere = (): number => ((navigator as { deviceMemory?: number }).deviceMemory ?? 4) * 1e9;

/** What a model needs; `size` is `undefined` for a model that is already on this device. */
export async function need(size: ModelSize | undefined, { peak }: MemoryPlan): Promise<Need> {
  const memory = (navigator as { deviceMemory?: number }).deviceMemory;
  const { sentences, tight, free } = await downloadNeed(size);
  const outgrows = peak > TAB_MEMORY && !(await hasWebGpu());
  const heavy = memory !== undefined && peak > memory * 0.5e9;
  return {
    sentences: [...sentences, t.device.trainingNeeds(peak, await memoryName(), memory)],
    warnings: [...(tight ? [t.device.storageShort] : []), ...(outgrows ? [t.device.tabLimit(TAB_MEMORY)] : []), ...(heavy ? [t.device.heavy] : [])],
    short: heavy || outgrows,
    free,
  };
}

/** What must be downloaded, whether there is storage space for it, and how much space is then left. */
async function downloadNeed(size: ModelSize | undefined): Promise<Pick<Need, 'sentences' | 'free'> & { readonly tight: boolean }> {
  const space = await storage.room();
  const free = space === undefined ? undefined : Math.max(0, space.quota - space.used);
  if (size === undefined) return { sentences: [], tight: false, free: free ?? Infinity };
  const { bytes: download, keptBytes } = size;
  const missing = Math.max(0, download - keptBytes);
  const left = { tight: free !== undefined && missing > free, free: (free ?? Infinity) - missing };
  return { sentences: [missing === 0 && download > 0 ? t.device.alreadyHere(download) : t.device.download(download, keptBytes, free)], ...left };
}
