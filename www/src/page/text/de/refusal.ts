/** Why examples cannot be used, and what to do about it. */
import { count } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const refusal: Texts['refusal'] = {
  title: 'Diese Beispiele lassen sich noch nicht verwenden',
  lines: 'Die ersten Zeilen, so wie sie gelesen wurden:',
  oneLabel: (label: string) => `Alle haben die Kategorie „${label}“.`,
  noLabel: 'Keines hat eine Kategorie.',
  oneLabelAdvice: 'Um den Unterschied zu lernen, braucht das Modell Texte aus mindestens zwei Kategorien. Füge Texte einer anderen hinzu.',
  manyLabels: (found: number, column: string) => `In der Spalte „${column}“ stehen ${count(found)} verschiedene Kategorien.`,
  manyLabelsAdvice: (most: number) => `Das sieht nach der falschen Spalte aus. Eine Kategorie ist die Gruppe, zu der ein Text gehört, und bis zu ${count(most)} Gruppen sind möglich.`,
  single: 'Das ist ein einziger Text.',
  singleAdvice: 'Dieses Modell sortiert Texte in Gruppen und braucht deshalb mehrere, einen pro Zeile. Um wie ein Text schreiben zu lernen, wähle in Schritt 1 ein Modell, das schreibt.',
  tooLarge: (name: string, size: string, most: string) => `${name} hat ${size}, und die Seite liest höchstens ${most}.`,
  tooLargeAdvice: 'Nimm einen Teil davon. Ein paar tausend Texte reichen völlig.',
  binary: (name: string) => `${name} ist keine Textdatei.`,
  binaryAdvice: 'Öffne sie in dem Programm, mit dem sie erstellt wurde, und speichere sie als CSV oder als reinen Text. Oder kopiere ihre Zeilen und füge sie hier ein.',
  other: 'Korrigiere, was oben genannt ist. Eine Tabelle mit einer Spalte für Texte und einer für Kategorien geht, und ebenso Zeilen wie „work: Meeting at 4“.',
};
