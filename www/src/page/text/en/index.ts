/** The English texts. The other languages have the same keys, which the compiler checks. */
import { chart } from './chart.ts';
import { device } from './device.ts';
import { live } from './live.ts';
import { problem } from './problem.ts';
import { proof } from './proof.ts';
import { samples } from './samples.ts';
import { sorting } from './sorting.ts';
import { start } from './start.ts';
import { tasks } from './tasks.ts';
import { training } from './training.ts';
import { trainings } from './trainings.ts';

export const en = { chart, device, live, problem, proof, samples, sorting, start, tasks, training, trainings };

export type Texts = typeof en;
