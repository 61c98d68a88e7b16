/** The results on texts that the model has not seen. */
import { count, percent, plural } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const figures: Texts['figures'] = {
  title: 'Unbekannte Texte, richtig sortiert',
  quoted: (label: string) => `„${label}“`,
  of: (right: number, all: number) => `${count(right)} von ${count(all)}`,
  none: 'keine',
  expect: (low: number, high: number) => `Bei anderen Texten dieser Art sind ${percent(low)} bis ${percent(high)} zu erwarten (95-%-Intervall).`,
  mark: (share: number, label: string) => `Die Marke auf dem Balken steht bei ${percent(share)}: So viel wäre mit der immer gleichen Antwort ${label} richtig.`,
  folded: (texts: number) => `Jeder von ${plural(texts, 'Text', 'Texten')} wurde von einem Modell sortiert, das nur aus anderen gelernt hatte.`,
  measured: (texts: number) => `Gemessen an ${plural(texts, 'Testtext', 'Testtexten')}.`,
  measuredSteps: (steps: number, texts: number) => `Vor und nach ${plural(steps, 'Schritt', 'Schritten')}, gemessen an ${plural(texts, 'Testtext', 'Testtexten')}.`,
  elsewhere: 'Wie genau es ist, wurde dort gemessen, wo es trainiert wurde. Im Trainingsprotokoll steht das nicht.',
  /** A line during training: `share` of the texts are right, and `baseline` would be for one answer to all. */
  during: (folded: boolean, share: string, better: boolean, baseline: string, label: string) =>
    `${folded ? 'Unbekannte Texte' : 'Testtexte'}: ${share} richtig, ${better ? 'besser als' : 'gegenüber'} ${baseline} mit der immer gleichen Antwort ${label}.`,
  better: (label: string, share: number) => `Das Modell hat gelernt, die Kategorien zu unterscheiden: Mit der immer gleichen Antwort ${label} wären ${percent(share)} richtig.`,
  notBetter: (label: string, share: number) => `Noch ist nicht zu sehen, dass das Modell etwas gelernt hat: Mit der immer gleichen Antwort ${label} wären ${percent(share)} richtig.`,
  worse: (label: string, share: number) => `Das ist schlechter als geraten: Mit der immer gleichen Antwort ${label} wären ${percent(share)} richtig.`,
  same: (label: string) => `Das Modell antwortet auf jeden Text mit ${label}.`,
  giveMore: 'Gib dem Modell mehr Beispiele.',
  giveMoreOrLonger: 'Gib dem Modell mehr Beispiele oder trainiere es länger.',
  giveMoreCheck: 'Gib dem Modell mehr Beispiele und prüfe, ob ihre Kategorien stimmen.',
  longerOrOther: 'Trainiere das Modell länger oder noch einmal mit anderen Einstellungen.',
  tooFew: (texts: number) => `${plural(texts, 'Text ist', 'Texte sind')} zu wenig, um zu sagen, ob das Modell etwas gelernt hat.`,
  oneLabel: (label: string) => `Alle Testtexte haben die Kategorie ${label}. Deshalb zeigen sie nicht, ob das Modell die Kategorien unterscheidet.`,
  wrong: 'Falsch sortierte Texte',
  noneWrong: 'Keine.',
  tap: 'Tippe auf eine Zahl, um die Texte zu sehen.',
  cell: (texts: number, label: string, answered: string) => `${plural(texts, 'Text', 'Texte')} mit Kategorie ${label} und Antwort ${answered}`,
  itsLabel: 'Kategorie',
  answeredAs: 'Antwort',
  right: (right: number, all: number) => `${count(right)} von ${count(all)} richtig`,
  caption: 'Die Antworten auf die Texte jeder Kategorie',
  takenFor: (texts: number, label: string, answered: string) => `${count(texts)} × ${label} für ${answered} gehalten`,
  wrongHead: (label: string, answered: string) => `Kategorie ${label}, Antwort ${answered}`,
  more: (texts: number) => `und ${plural(texts, 'weiterer', 'weitere')}`,
};
