/** What is wrong with the words and the sentence by which a model is asked for a label. `where` follows each of them. */
import type { Texts } from '../en/index.ts';

export const prompt: Texts['prompt'] = {
  where: 'Corrígelo en el paso 2, en «Cómo se le pregunta al modelo», o deja que aprenda rápido, que no necesita palabras.',
  noWord: 'Una etiqueta no tiene palabra',
  sameWord: 'Dos etiquetas tienen la misma palabra',
  noText: 'La frase debe contener {text}',
  noMask: 'La frase debe contener [MASK] exactamente una vez',
  unknownWords: (words: readonly string[]) => `Este modelo no conoce ${words.map((word) => `«${word}»`).join(', ')} como palabra entera. Cada etiqueta necesita una palabra común del idioma del modelo, en minúsculas`,
  /** `found` is what the engine says, in English. */
  unknownWord: (found: string) => `${found}: la palabra de una etiqueta debe ser una que el modelo conozca, como una palabra común en minúsculas`,
  change: 'Cambiar las palabras',
};
