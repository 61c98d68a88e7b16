/** What is shown while the model trains. */
import { count, duration, plural } from '../../format.ts';

export const live = {
  title: 'What it answers now',
  done: 'Done',
  notification: 'The training has ended',
  failed: 'The training stopped because of an error',
  notify: 'Notify me when it is done',
  left: (seconds: number) => `${duration(seconds)} left`,
  estimating: 'Estimating the time left',
  pausing: 'Pausing after this step',
  paused: (step: number, steps: number) => `Paused after step ${count(step)} of ${count(steps)}`,
  hidden: 'Waiting while this page is in the background',
  trained: (steps: number) => `Trained for ${plural(steps, 'step')}`,
  learned: (rows: number) => `Learned from ${plural(rows, 'example')}`,
  stoppedFirst: 'Stopped before the first step',
  preparing: 'Preparing the graphics chip',
  evaluating: 'Testing the model',
  programs: (ready: number, all: number) => `Preparing the graphics chip: ${count(ready)} of ${plural(all, 'program')}`,
  evaluated: (done: number, all: number) => `Testing the model: ${count(done)} of ${plural(all, 'text')}`,
  skip: 'Skip this test',
  testing: 'Now the model is tested as it is, so that you can see later what the training has changed. If you skip this, there is no “before” to compare with.',
  retesting: 'Now the trained model is tested. If you skip this, there is no result to look at.',
  keepOpen: 'Keep this page open: the training pauses while it is in the background.',
};
