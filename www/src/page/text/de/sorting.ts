/** Sorting a whole list of texts. */
import { count, plural } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const sorting: Texts['sorting'] = {
  title: 'Textliste sortieren',
  field: 'Texte, einer pro Zeile',
  note: 'Füge sie ein oder wähle eine Datei. Nichts wird hochgeladen.',
  choose: 'Datei wählen',
  start: 'Sortieren',
  stop: 'Stopp',
  download: 'Tabelle herunterladen (CSV)',
  fileName: 'sortiert.csv',
  /** The columns of the table. */
  text: 'Text',
  label: 'Kategorie',
  probability: 'Wie sicher',
  reading: 'Texte werden gelesen',
  progress: (done: number, all: number) => `${count(done)} von ${count(all)} sortiert`,
  done: (all: number) => `${plural(all, 'Text', 'Texte')} sortiert`,
  foreign: (texts: number) => `${plural(texts, 'Text ist', 'Texte sind')} in einer Schrift, die dieses Modell kaum kennt. ${texts === 1 ? 'Seine Kategorie sagt' : 'Ihre Kategorien sagen'} also wenig, auch wenn sie sicher aussehen.`,
  stopped: (done: number, all: number) => `Nach ${count(done)} von ${plural(all, 'Text', 'Texten')} gestoppt`,
  leastSure: 'Hier ist es am unsichersten',
  first: 'Die ersten',
  empty: 'Füge Texte ein oder wähle eine Datei.',
  chosen: (name: string, rows: number) => `${name}: ${plural(rows, 'Text', 'Texte')}.`,
  columns: (name: string) => `Die Texte stammen aus der Spalte „${name}“.`,
};
