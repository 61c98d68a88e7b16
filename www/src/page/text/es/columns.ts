/** How the columns of a file or the lines of a text were understood. */
import type { Texts } from '../en/index.ts';

export const columns: Texts['columns'] = {
  marks: { colon: 'dos puntos', comma: 'coma', semicolon: 'punto y coma', tab: 'tabulación' },
  numbered: (at) => `columna ${at}`,
  before: (mark) => `parte anterior al signo «${mark}»`,
  after: (mark) => `parte posterior al signo «${mark}»`,
  named: (name) => `columna «${name}»`,
  labels: (many, names, more) => ` (${many} ${many === 1 ? 'etiqueta' : 'etiquetas'}: ${names.map((name) => `«${name}»`).join(', ')}${more ? '…' : ''})`,
  divided: {
    first: (mark, labels) => `En cada línea, la etiqueta está antes del primer signo de «${mark}»${labels}.`,
    last: (mark, labels) => `En cada línea, la etiqueta está después del último signo de «${mark}»${labels}.`,
  },
  both: (text, label, labels) => `Aquí está el texto: ${text}. Aquí está la etiqueta: ${label}${labels}.`,
  noLabel: (text) => `Aquí está el texto: ${text}. Ninguna columna se toma como etiqueta.`,
  noText: 'Ninguna columna se toma como texto.',
  firstNames: 'La primera línea tiene los nombres de las columnas.',
  firstExample: 'La primera línea es un ejemplo.',
  encoding: (name) => `El texto está codificado en ${name}.`,
  carriageReturns: 'Las líneas terminan en retornos de carro, como en los Macintosh antiguos.',
  alpaca: 'Las preguntas tienen la forma de Alpaca: ### Instruction:, ### Input: y ### Response:.',
  unread: (names) => `Las demás columnas no se leen: ${names.map((name) => `«${name}»`).join(', ')}.`,
};
