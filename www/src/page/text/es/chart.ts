/** The chart of a training, and what its curve shows. */
import { count } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const chart: Texts['chart'] = {
  /** Beside the axes. */
  error: 'Error',
  step: 'Paso',
  /** For people who do not see it. */
  described: (steps: number, first: string, last: string) => `Error a lo largo de ${count(steps)} pasos, de ${first} a ${last}`,
  cropped: (low: string) => `La escala empieza en ${low}, no en 0.`,
  early: 'Al principio, la línea sube y baja. En unos cientos de pasos se ve hacia dónde va.',
  few: 'Con tan pocos pasos todavía no se ve un cambio claro. Entrénalo unos cientos de pasos.',
  falling: 'El error baja.',
  unclear: 'Todavía no hay un cambio claro.',
  better: 'Está aprendiendo: clasifica textos que no ha visto mejor que si respondiera siempre lo mismo.',
  fallingOnly: 'El error baja, pero los textos que no ha visto aún no se clasifican mejor que respondiendo siempre lo mismo.',
  worse: 'Clasifica los textos que no ha visto peor que si respondiera siempre lo mismo.',
  tokensPerSecond: 'Tokens por segundo',
  stepTime: 'Tiempo por paso',
  memory: 'Memoria en uso',
  learningRate: 'Tasa de aprendizaje',
  troubles: {
    rising: 'El error sube. Detén el entrenamiento y vuelve a entrenar con la tasa de aprendizaje reducida a un tercio (en «Avanzado»).',
    flat: 'El error no baja. Dale más ejemplos al modelo o escribe auto como tasa de aprendizaje (en «Avanzado»).',
    'no-difference': 'El modelo no aprende nada: los pasos son tan pequeños que no se notan. Vuelve a entrenar con un épsilon diez veces mayor (en «Avanzado»).',
    'large-difference': 'Los pasos son demasiado grandes para aprender de ellos. Vuelve a entrenar con un épsilon diez veces menor (en «Avanzado»).',
  },
};
