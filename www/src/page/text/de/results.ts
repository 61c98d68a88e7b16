/** Trying what was learned. */
import type { Texts } from '../en/index.ts';

export const results: Texts['results'] = {
  title: 'Testen und speichern',
  sentences: 'Deine Sätze',
  noSentences: 'Noch keine. Probiere unten einen aus.',
  another: 'Probiere einen anderen Satz',
  ask: 'Fragen',
  empty: 'Schreib zuerst einen Satz.',
  learned: 'Aus diesem Text hat es gelernt. Kein Wunder, dass es ihn kennt.',
  foreign: 'Dieses Modell kennt die Schrift dieses Textes kaum. Die Antwort sagt also wenig, auch wenn sie sicher aussieht.',
  unlike: 'Kaum ein Wort dieses Textes kommt in den Beispielen vor, und das Modell liest seine Wörter in Stücken, wie in einer Sprache, die es nicht gelernt hat. Die Antwort sagt also wenig, auch wenn sie sicher aussieht.',
};
