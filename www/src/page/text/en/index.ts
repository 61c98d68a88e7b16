/** The English texts. The other languages have the same keys, which the compiler checks. */
import { device } from './device.ts';
import { problem } from './problem.ts';
import { proof } from './proof.ts';
import { sorting } from './sorting.ts';
import { start } from './start.ts';

export const en = { device, problem, proof, sorting, start };

export type Texts = typeof en;
