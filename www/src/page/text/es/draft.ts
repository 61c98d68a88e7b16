/** The draft of a person's texts. */
import type { Texts } from '../en/index.ts';

export const draft: Texts['draft'] = {
  kept: 'Guardados en este dispositivo como borrador.',
  clear: 'Borrarlos',
};
