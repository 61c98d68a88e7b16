/** Models of the hub that work here. */
import { bytes, duration } from '../../format.ts';

export const suggestions = {
  quickest: 'Sorting short English texts. The quickest.',
  writing: 'Writing English. Quick to try.',
  sorting: 'Sorting English texts.',
  chatting: 'Chatting and answering in English.',
  sortingExactly: 'Sorting English texts, more accurately.',
  chattingBetter: 'Chatting and answering in English, better.',
  chattingLanguages: 'Chatting and answering in many languages.',
  sortingLanguages: 'Sorting texts in a hundred languages.',
  sortingPaper: 'Sorting English texts as in the paper on MeZO. For computers.',
  download: (size: number) => `Download: ${bytes(size)}.`,
  look: 'Details',
  lookAt: (id: string) => `Details of ${id}`,
  measuring: 'Measuring how fast this device is',
  unmeasured: 'This device could not be measured.',
  estimates: 'The times are estimates for this device, which was measured just now.',
  tooSlow: 'On this device: too slow to be useful.',
  learns: (seconds: number, texts: number) => `On this device: about ${duration(seconds)} to learn from ${texts} short texts.`,
  steps: (seconds: number, steps: number) => `On this device: about ${duration(seconds)} for the first ${steps} steps.`,
};
