/** The results on texts that the model has not seen. */
import { count, percent, plural } from '../../format.ts';

export const figures = {
  title: 'Texts it has never seen, sorted correctly',
  quoted: (label: string) => `“${label}”`,
  of: (right: number, all: number) => `${count(right)} of ${count(all)}`,
  none: 'none',
  expect: (low: number, high: number) => `On other texts like these, expect ${percent(low)} to ${percent(high)} (95% interval).`,
  mark: (share: number, label: string) => `The mark on the bar is at ${percent(share)}: always answering ${label}.`,
  folded: (texts: number) => `Each of ${plural(texts, 'text')} was sorted by a model that had learned only from others.`,
  measured: (texts: number) => `Measured on ${plural(texts, 'text')} kept aside.`,
  measuredSteps: (steps: number, texts: number) => `Before and after ${plural(steps, 'step')}, measured on ${plural(texts, 'text')} kept aside.`,
  elsewhere: 'Its accuracy was measured where it was trained. The training record does not contain it.',
  /** A line during training: `share` of the texts are right, and `baseline` would be for one answer to all. */
  during: (folded: boolean, share: string, better: boolean, baseline: string, label: string) =>
    `${folded ? 'Texts sorted without having seen them' : 'Texts kept aside'}: ${share} right, ${better ? 'better than' : 'compared with'} ${baseline} for always answering ${label}.`,
  better: (label: string, share: number) => `It has learned to tell them apart: always answering ${label} would be right ${percent(share)} of the time.`,
  notBetter: (label: string, share: number) => `There is no sign yet that it has learned anything: always answering ${label} would be right ${percent(share)} of the time.`,
  worse: (label: string, share: number) => `It is worse than a guess: always answering ${label} would be right ${percent(share)} of the time.`,
  same: (label: string) => `It answers every text with ${label}.`,
  giveMore: 'Give it more examples.',
  giveMoreOrLonger: 'Give it more examples, or train it longer.',
  giveMoreCheck: 'Give it more examples, and check that their labels are right.',
  longerOrOther: 'Train it longer, or again with other settings.',
  tooFew: (texts: number) => `${plural(texts, 'text is', 'texts are')} too few to say whether it has learned anything.`,
  oneLabel: (label: string) => `All texts kept aside are labeled ${label}, so they do not show whether it tells the labels apart.`,
  wrong: 'Which texts it gets wrong',
  noneWrong: 'None of them.',
  tap: 'Tap a number to see the texts.',
  cell: (texts: number, label: string, answered: string) => `${plural(texts, 'text')} labeled ${label}, answered ${answered}`,
  itsLabel: 'Its label',
  answeredAs: 'Answered as',
  right: (right: number, all: number) => `${count(right)} of ${count(all)} right`,
  caption: 'How the texts of each label were answered',
  takenFor: (texts: number, label: string, answered: string) => `${count(texts)} × ${label} taken for ${answered}`,
  wrongHead: (label: string, answered: string) => `Labeled ${label}, answered ${answered}`,
  more: (texts: number) => `and ${count(texts)} more`,
};
