/** Trying what was learned. */
import type { Texts } from '../en/index.ts';

export const results: Texts['results'] = {
  title: 'Pruébalo y guárdalo',
  sentences: 'Tus frases',
  noSentences: 'Todavía no hay ninguna. Prueba una abajo.',
  another: 'Prueba otra frase',
  ask: 'Preguntar',
  empty: 'Primero escribe una frase.',
  learned: 'Ha aprendido de este texto, así que no sorprende que lo conozca.',
  foreign: 'Este modelo apenas conoce las letras de este texto. Por eso la respuesta dice poco, por segura que parezca.',
  unlike: 'Casi ninguna palabra de este texto está en los ejemplos, y el modelo las lee a trozos, como en un idioma que no le enseñaron. Por eso la respuesta dice poco, por segura que parezca.',
};
