/** Runs before all other modules of the page. */
import { guardPage } from './guard.ts';

guardPage();
