/** The English texts. The other languages have the same keys, which the compiler checks. */
import { start } from './start.ts';

export const en = { start };

export type Texts = typeof en;
