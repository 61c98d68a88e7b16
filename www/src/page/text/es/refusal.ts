/** Why examples cannot be used, and what to do about it. */
import { count } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const refusal: Texts['refusal'] = {
  title: 'Estos ejemplos todavía no se pueden usar',
  lines: 'Las primeras líneas, tal como se leyeron:',
  oneLabel: (label: string) => `Todos tienen la etiqueta «${label}».`,
  noLabel: 'Ninguno tiene etiqueta.',
  oneLabelAdvice: 'Para aprender la diferencia, el modelo necesita textos de al menos dos etiquetas. Añade textos de otra.',
  manyLabels: (found: number, column: string) => `Hay ${count(found)} etiquetas distintas en la columna «${column}».`,
  manyLabelsAdvice: (most: number) => `Parece que no es la columna correcta. Una etiqueta es el grupo al que pertenece un texto, y puede haber hasta ${count(most)} grupos.`,
  single: 'Esto es un solo texto.',
  singleAdvice: 'Este modelo clasifica textos en grupos, así que necesita varios, uno por línea. Para aprender a escribir como un texto, elige un modelo que escriba en el paso 1.',
  tooLarge: (name: string, size: string, most: string) => `${name} ocupa ${size}, y la página lee como máximo ${most}.`,
  tooLargeAdvice: 'Toma una parte. Con unos pocos miles de textos basta.',
  binary: (name: string) => `${name} no es un archivo de texto.`,
  binaryAdvice: 'Ábrelo en el programa con el que se creó y guárdalo como CSV o como texto sin formato. O copia sus filas y pégalas aquí.',
  other: 'Corrige lo que se indica arriba. Sirve una tabla con una columna de textos y otra de etiquetas, y también líneas como «work: Meeting at 4».',
};
