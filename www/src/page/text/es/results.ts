/** Trying what was learned. */
import type { Texts } from '../en/index.ts';

export const results: Texts['results'] = {
  title: 'Pruébalo y guárdalo',
  sentences: 'Tus frases',
  noSentences: 'Todavía no hay ninguna. Prueba una abajo.',
  another: 'Prueba otra frase',
  ask: 'Preguntar',
};
