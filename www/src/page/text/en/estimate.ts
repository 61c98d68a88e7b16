/** How long a training takes on this device, told before it starts. */
import { count, duration } from '../../format.ts';

export const estimate = {
  quick: 'Quick',
  steps300: '300 steps',
  about: (seconds: number) => `about ${duration(seconds)}`,
  measuring: 'Measuring how fast this model is on this device',
  slow: (seconds: number) => `On this device this takes about ${duration(seconds)}. It becomes faster with:`,
  learnQuickly: 'learning quickly, which takes seconds to minutes',
  fewerSteps: 'fewer steps',
  fewerBits: 'fewer bits: load the model again in step 1, with 4 bits under “Memory”',
  lora: 'only a small addition to the weights: under Advanced, “What changes”, LoRA',
  shorter: 'shorter texts: under Advanced, “Longest text”',
  smallerBatch: 'fewer examples per step, under Advanced',
  truncated: (many: number, all: number, tokens: number) =>
    `${count(many)} of ${count(all)} ${many === 1 ? 'texts is' : 'texts are'} longer than ${count(tokens)} tokens (words or pieces of words). Only the beginning is read.`,
  answersTruncated: (many: number, all: number, tokens: number) =>
    `${count(many)} of ${count(all)} ${many === 1 ? 'examples is' : 'examples are'} longer than ${count(tokens)} tokens (words or pieces of words). Only the end of their questions is read. An answer that is longer than that on its own cannot be learned.`,
};
