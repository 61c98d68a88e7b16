/** Saving what was learned. */
import { bytes } from '../../format.ts';

export const keep = {
  title: 'Save it',
  record: 'Download the training record',
  recordNote: 'A file of a few kilobytes. Together with the model you started from, it recreates exactly this result, on this device or another. It contains your labels and settings, but none of your texts.',
  share: 'Share it',
  adapter: 'Download the adapter',
  adapterNote: 'Only what was learned, without the model: a zip file that, once it is unpacked, the Python library peft can load, and for many models also llama.cpp.',
  model: 'Download the whole model',
  back: 'Back to training',
  twoLibraries: 'transformers or sentence-transformers',
  modelNote: (size: number, opens: string) => `A zip file with all files of the model, about ${bytes(size)}. Once it is unpacked, the Python library ${opens} opens its folder.`,
  opensHere: 'This page opens the zip file directly, under “From my files”.',
};
