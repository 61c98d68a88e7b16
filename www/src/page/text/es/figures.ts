/** The results on texts that the model has not seen. */
import { count, percent, plural } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const figures: Texts['figures'] = {
  title: 'Textos nunca vistos, bien clasificados',
  quoted: (label: string) => `«${label}»`,
  of: (right: number, all: number) => `${count(right)} de ${count(all)}`,
  none: 'ninguno',
  expect: (low: number, high: number) => `En otros textos parecidos, espera entre un ${percent(low)} y un ${percent(high)} de aciertos (intervalo del 95 %).`,
  mark: (share: number, label: string) => `La marca de la barra está en el ${percent(share)}: responder siempre ${label}.`,
  folded: (texts: number) => `${plural(texts, 'texto clasificado', 'textos clasificados')}, cada uno con un modelo que solo había aprendido de los demás.`,
  measured: (texts: number) => `Medido con ${plural(texts, 'texto reservado', 'textos reservados')}.`,
  measuredSteps: (steps: number, texts: number) => `Antes y después de ${plural(steps, 'paso', 'pasos')}, medido con ${plural(texts, 'texto reservado', 'textos reservados')}.`,
  elsewhere: 'Su precisión se midió donde se entrenó. El registro de entrenamiento no la contiene.',
  /** A line during training: `share` of the texts are right, and `baseline` would be for one answer to all. */
  during: (folded: boolean, share: string, better: boolean, baseline: string, label: string) =>
    `${folded ? 'Textos clasificados sin haberlos visto' : 'Textos reservados'}: ${share} bien, ${better ? 'mejor que' : 'frente a'} ${baseline} si respondiera siempre ${label}.`,
  better: (label: string, share: number) => `Ha aprendido a distinguirlos: responder siempre ${label} acertaría en el ${percent(share)}.`,
  notBetter: (label: string, share: number) => `Todavía no se ve que haya aprendido nada: responder siempre ${label} acertaría en el ${percent(share)}.`,
  worse: (label: string, share: number) => `Es peor que responder al azar: responder siempre ${label} acertaría en el ${percent(share)}.`,
  same: (label: string) => `A todos los textos responde ${label}.`,
  giveMore: 'Dale más ejemplos.',
  giveMoreOrLonger: 'Dale más ejemplos o entrénalo más tiempo.',
  giveMoreCheck: 'Dale más ejemplos y comprueba que sus etiquetas sean correctas.',
  longerOrOther: 'Entrénalo más tiempo, o de nuevo con otros ajustes.',
  tooFew: (texts: number) => `${plural(texts, 'texto es muy poco', 'textos son muy pocos')} para saber si ha aprendido algo.`,
  oneLabel: (label: string) => `Todos los textos reservados tienen la etiqueta ${label}, así que no muestran si distingue las etiquetas.`,
  wrong: 'En qué textos se equivoca',
  noneWrong: 'En ninguno.',
  tap: 'Toca un número para ver los textos.',
  cell: (texts: number, label: string, answered: string) => `${plural(texts, 'texto', 'textos')} con etiqueta ${label} y respuesta ${answered}`,
  itsLabel: 'Su etiqueta',
  answeredAs: 'Respuesta',
  right: (right: number, all: number) => `${count(right)} de ${count(all)} bien`,
  caption: 'Qué respondió a los textos de cada etiqueta',
  takenFor: (texts: number, label: string, answered: string) => `${count(texts)} × ${label}, respuesta ${answered}`,
  wrongHead: (label: string, answered: string) => `Etiqueta ${label}, respuesta ${answered}`,
  more: (texts: number) => `y ${count(texts)} más`,
};
