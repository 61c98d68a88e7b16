/** The chart of a training, and what its curve shows. */
import { count } from '../../format.ts';

export const chart = {
  /** Beside the axes. */
  error: 'Error',
  step: 'Step',
  /** For people who do not see it. */
  described: (steps: number, first: string, last: string) => `Error over ${count(steps)} steps, from ${first} to ${last}`,
  cropped: (low: string) => `The scale begins at ${low}, not at 0.`,
  early: 'The line goes up and down at first. A few hundred steps show where it goes.',
  few: 'After so few steps there is no clear change yet. Train it for a few hundred.',
  falling: 'The error is falling.',
  unclear: 'There is no clear change yet.',
  better: 'It is learning: on texts that it has not seen, it does better than always giving the same answer.',
  fallingOnly: 'The error is falling, but on texts that it has not seen, it does not do better yet than always giving the same answer.',
  worse: 'On texts that it has not seen, it does worse than always giving the same answer.',
  tokensPerSecond: 'Tokens per second',
  stepTime: 'Time per step',
  memory: 'Memory used',
  learningRate: 'Learning rate',
  troubles: {
    rising: 'The error is rising. Stop, then train again with a learning rate a third as large (under Advanced).',
    flat: 'The error does not fall. Give the model more examples, or enter auto as the learning rate (under Advanced).',
    'no-difference': 'The model learns nothing, because the steps are too small to notice. Train again with an epsilon ten times larger (under Advanced).',
    'large-difference': 'The steps are too coarse to learn from. Train again with an epsilon ten times smaller (under Advanced).',
  },
};
