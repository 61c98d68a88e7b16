/** The head of the page. */
import type { Texts } from '../en/index.ts';

export const start: Texts['start'] = {
  description: 'Trainiere ein Sprachmodell mit deinen eigenen Texten, direkt in diesem Tab. Nichts verlässt dein Gerät.',
  pageTitle: 'PocketLLM: Trainiere ein Sprachmodell in diesem Tab',
  skip: 'Direkt zu den Schritten',
  title: 'Trainiere eine KI mit deinen Texten',
  lead: 'Aus wenigen Beispielen lernt eine kleine KI auf diesem Gerät, so zu sortieren, zu schreiben oder zu antworten wie du. Beginne mit einem Beispiel von uns.',
  private: 'Deine Texte bleiben auf diesem Gerät.',
  notSent: 'Sie werden an keinen Server gesendet.',
  noScript: 'Das Training läuft direkt auf dieser Seite. Dafür braucht sie JavaScript. Bitte schalte es ein.',
  language: 'Sprache',
  stepOf: (step: number) => `Schritt ${step} von 4`,
};
