/** Why examples cannot be used, and what to do about it. */
import { count } from '../../format.ts';

export const refusal = {
  title: 'These examples cannot be used yet',
  lines: 'The first lines, as they were read:',
  oneLabel: (label: string) => `All of them have the label “${label}”.`,
  noLabel: 'None of them has a label.',
  oneLabelAdvice: 'To learn the difference, the model needs texts of at least two labels. Add texts with another label.',
  manyLabels: (found: number, column: string) => `There are ${count(found)} different labels in the column “${column}”.`,
  manyLabelsAdvice: (most: number) => `That looks like the wrong column. A label is the group that a text belongs to, and up to ${count(most)} groups work.`,
  single: 'This is a single text.',
  singleAdvice: 'This model sorts texts into groups, so it needs several, one per line. To learn to write like a text, choose a model that writes, in step 1.',
  tooLarge: (name: string, size: string, most: string) => `${name} is ${size}, and the page reads at most ${most}.`,
  tooLargeAdvice: 'Use a part of it. A few thousand texts are plenty.',
  binary: (name: string) => `${name} is not a text file.`,
  binaryAdvice: 'Open it in the program it was made with, and save it as CSV or as plain text. Or copy its rows, and paste them here.',
  other: 'Correct what is named above. A table with a column of texts and one of labels works, and so do lines such as “work: Meeting at 4”.',
};
