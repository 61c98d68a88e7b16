/** Models of the hub that work here. */
import { bytes, duration } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const suggestions: Texts['suggestions'] = {
  quickest: 'Clasifica textos cortos en inglés. El más rápido.',
  writing: 'Escribe en inglés. Se prueba en poco tiempo.',
  sorting: 'Clasifica textos en inglés.',
  chatting: 'Chatea y responde en inglés.',
  sortingExactly: 'Clasifica textos en inglés con más exactitud.',
  chattingBetter: 'Chatea y responde mejor en inglés.',
  chattingLanguages: 'Chatea y responde en muchos idiomas.',
  sortingLanguages: 'Clasifica textos en cien idiomas.',
  sortingPaper: 'Clasifica textos en inglés como en el artículo sobre MeZO. Para computadoras.',
  download: (size: number) => `Descarga: ${bytes(size)}.`,
  look: 'Ver',
  lookAt: (id: string) => `Ver ${id}`,
  measuring: 'Midiendo lo rápido que es este dispositivo',
  unmeasured: 'No se pudo medir este dispositivo.',
  estimates: 'Los tiempos son estimaciones para este dispositivo, que se acaba de medir.',
  tooSlow: 'En este dispositivo: demasiado lento para ser útil.',
  learns: (seconds: number, texts: number) => `En este dispositivo: alrededor de ${duration(seconds)} para aprender de ${texts} textos cortos.`,
  steps: (seconds: number, steps: number) => `En este dispositivo: alrededor de ${duration(seconds)} para los primeros ${steps} pasos.`,
};
