/** What a model needs, and what this device has. */
import { bytes } from '../../format.ts';

export const device = {
  gpuMemory: 'GPU memory',
  memory: 'memory',
  /** `memory` is one of the two names above. */
  trainingNeeds: (peak: number, memory: string, reported: number | undefined) =>
    `Training it needs ${bytes(peak)} of ${memory}${reported === undefined ? '' : `; this device reports ${reported} GB${reported >= 8 ? ' or more' : ''} of memory`}.`,
  storageShort: 'There is not enough storage space for it. Free some space, or delete a model below.',
  tabLimit: (limit: number) => `Without a GPU, this page can use about ${bytes(limit)}. Choose a smaller model, or fewer bits under “Memory”.`,
  heavy: 'That is a lot for this device. It may run out of memory.',
  alreadyHere: (size: number) => `It is already on this device (${bytes(size)}).`,
  download: (size: number, here: number, space: number | undefined) =>
    `The download is ${bytes(size)}${here > 0 ? `, and ${bytes(here)} of it is already here` : ''}${space === undefined ? '' : `; this browser has space for ${bytes(space)}`}.`,
  hasMemory: (memory: string) => `This device has that much ${memory}: the page has just tried it.`,
  lacksMemory: (memory: string) => `This device does not have that much ${memory} now. Close other tabs, choose fewer bits under “Memory”, or choose a smaller model.`,
  ofUnknownSize: 'of unknown size',
  /** An entry of the list of a model's files. */
  file: (name: string, size: string, suits: boolean) => `${name} (${size})${suits ? ', suits this device' : ''}`,
};
