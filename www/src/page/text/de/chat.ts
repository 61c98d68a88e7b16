/** Writing with the model. */
import type { Texts } from '../en/index.ts';

export const chat: Texts['chat'] = {
  title: 'Mit dem Modell schreiben',
  log: 'Was geschrieben wurde',
  how: 'Wie das Modell schreibt',
  continue: 'Text fortsetzen',
  talk: 'Chatten',
  input: 'Dein Text',
  tokens: 'Höchstlänge (Token)',
  temperature: 'Zufälligkeit',
  send: 'Schreiben lassen',
  stop: 'Stopp',
  clear: 'Leeren',
  lengthName: 'Höchstlänge',
  nothing: '(keine Antwort)',
  empty: 'Schreib zuerst etwas.',
};
