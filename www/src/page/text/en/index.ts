/** The English texts. The other languages have the same keys, which the compiler checks. */
import { chart } from './chart.ts';
import { device } from './device.ts';
import { draft } from './draft.ts';
import { figures } from './figures.ts';
import { live } from './live.ts';
import { problem } from './problem.ts';
import { prompt } from './prompt.ts';
import { proof } from './proof.ts';
import { samples } from './samples.ts';
import { shelf } from './shelf.ts';
import { sorting } from './sorting.ts';
import { space } from './space.ts';
import { start } from './start.ts';
import { suggestions } from './suggestions.ts';
import { tasks } from './tasks.ts';
import { training } from './training.ts';
import { trainings } from './trainings.ts';

export const en = {
  chart,
  device,
  draft,
  figures,
  live,
  problem,
  prompt,
  proof,
  samples,
  shelf,
  sorting,
  space,
  start,
  suggestions,
  tasks,
  training,
  trainings,
};

export type Texts = typeof en;
