/** How the columns of a file or the lines of a text were understood. */
import type { Texts } from '../en/index.ts';

export const columns: Texts['columns'] = {
  marks: { colon: 'Doppelpunkt', comma: 'Komma', semicolon: 'Semikolon', tab: 'Tabulator' },
  numbered: (at) => `Spalte ${at}`,
  before: (mark) => `Teil vor dem ${mark}`,
  after: (mark) => `Teil nach dem ${mark}`,
  named: (name) => `Spalte „${name}“`,
  labels: (many, names, more) => ` (${many} ${many === 1 ? 'Kategorie' : 'Kategorien'}: ${names.map((name) => `„${name}“`).join(', ')}${more ? ', …' : ''})`,
  divided: {
    first: (mark, labels) => `Die Kategorie steht in jeder Zeile vor dem ersten ${mark}${labels}.`,
    last: (mark, labels) => `Die Kategorie steht in jeder Zeile nach dem letzten ${mark}${labels}.`,
  },
  both: (text, label, labels) => `Hier steht der Text: ${text}. Hier steht die Kategorie: ${label}${labels}.`,
  noLabel: (text) => `Hier steht der Text: ${text}. Keine Spalte gilt als Kategorie.`,
  noText: 'Keine Spalte gilt als Text.',
  firstNames: 'Die erste Zeile enthält die Namen der Spalten.',
  firstExample: 'Die erste Zeile ist ein Beispiel.',
  encoding: (name) => `Der Text ist in ${name} kodiert.`,
  carriageReturns: 'Die Zeilen enden mit Wagenrückläufen, wie auf alten Macintosh-Rechnern.',
  alpaca: 'Die Fragen haben die Form von Alpaca: ### Instruction:, ### Input: und ### Response:.',
  unread: (names) => `Die anderen Spalten werden nicht gelesen: ${names.map((name) => `„${name}“`).join(', ')}.`,
};
