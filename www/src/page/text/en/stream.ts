/** Models whose layers stay in the browser's storage, because the memory is too small for them. */
import { bytes } from '../../format.ts';

export const stream = {
  field: 'Keep the model’s layers in storage',
  note: 'For models that are larger than the memory. Their layers are read from this browser’s storage in each pass, so everything takes longer, with the same result. The model itself stays unchanged, and training changes a small addition to it.',
  unavailable: 'This browser stores nothing for this page, as in some private windows. So the model’s layers cannot stay in storage.',
  /** `memory` is one of the two names in `device`. */
  offer: (needs: number, instead: number, memory: string, takes: number) =>
    `The page can keep the model’s layers in this browser’s storage, and read them in each pass. Training then needs ${bytes(needs)} of ${memory} instead of ${bytes(instead)}, takes longer, and needs up to ${bytes(takes)} of storage while the model is loaded. The model itself stays unchanged, and training changes a small addition to it.`,
  fewerBits: 'The page also chooses 4 bits.',
  tap: 'Keep its layers in storage',
  lacksStorage: (needs: number, memory: string, takes: number, free: number) =>
    `With the model’s layers in this browser’s storage, training would need only ${bytes(needs)} of ${memory}. But they take up to ${bytes(takes)} of storage, and ${bytes(free)} are free.`,
  stillTooMuch: (needs: number, memory: string) => `Even with the model’s layers in this browser’s storage, training needs ${bytes(needs)} of ${memory}, and this device does not have that much now.`,
  takes: (instead: number, takes: number) =>
    `Its layers stay in this browser’s storage, where they take up to ${bytes(takes)} while the model is loaded, and are read in each pass, which takes longer. With all of it in memory, training needs ${bytes(instead)}.`,
  layers: 'Layers',
  inStorage: 'in this browser’s storage',
  whole: 'Keep all of it in memory',
  trainsAll: '“What changes”: every weight can be trained only with the whole model in memory. Choose a small addition, or load the model again without “Keep the model’s layers in storage” (step 1, under “Memory”)',
  recordTrainsAll: 'This training changed every weight, which needs the whole model in memory. Load the model again without “Keep the model’s layers in storage” (step 1, under “Memory”)',
  faster: 'the whole model in memory, if this device has enough: load it again in step 1 without “Keep the model’s layers in storage”',
};
