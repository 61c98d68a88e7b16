/** The English texts. The other languages have the same keys, which the compiler checks. */
import { device } from './device.ts';
import { problem } from './problem.ts';
import { proof } from './proof.ts';
import { sorting } from './sorting.ts';
import { start } from './start.ts';
import { training } from './training.ts';
import { trainings } from './trainings.ts';

export const en = { device, problem, proof, sorting, start, training, trainings };

export type Texts = typeof en;
