/** Trying what was learned. */
import type { Texts } from '../en/index.ts';

export const results: Texts['results'] = {
  title: 'Testen und speichern',
  sentences: 'Deine Sätze',
  noSentences: 'Noch keine. Probiere unten einen aus.',
  another: 'Probiere einen anderen Satz',
  ask: 'Fragen',
};
