/** The draft of a person's texts. */
import type { Texts } from '../en/index.ts';

export const draft: Texts['draft'] = {
  kept: 'Guardados en este dispositivo como borrador.',
  tooLarge: (size: string, most: string) => `Este archivo ocupa ${size}. Como borrador se guardan archivos de hasta ${most}; elígelo de nuevo si la página se recarga.`,
  clear: 'Borrarlos',
};
