/** The chart of a training, and what its curve shows. */
import { plural } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const chart: Texts['chart'] = {
  /** Beside the axes. */
  error: 'Fehler',
  step: 'Schritt',
  /** For people who do not see it. */
  described: (steps: number, first: string, last: string) => `Fehler über ${plural(steps, 'Schritt', 'Schritte')}, von ${first} zu ${last}`,
  cropped: (low: string) => `Die Skala beginnt bei ${low}, nicht bei 0.`,
  early: 'Anfangs schwankt die Linie. Wohin sie geht, zeigt sich nach ein paar Hundert Schritten.',
  few: 'Nach so wenigen Schritten ist noch keine klare Änderung zu sehen. Trainiere es ein paar Hundert Schritte lang.',
  falling: 'Der Fehler sinkt.',
  unclear: 'Noch keine klare Veränderung.',
  better: 'Das Modell lernt: Unbekannte Texte sortiert es besser als mit der immer gleichen Antwort.',
  fallingOnly: 'Der Fehler sinkt, aber unbekannte Texte sortiert das Modell noch nicht besser als mit der immer gleichen Antwort.',
  worse: 'Unbekannte Texte sortiert das Modell schlechter als mit der immer gleichen Antwort.',
  tokensPerSecond: 'Token pro Sekunde',
  stepTime: 'Zeit pro Schritt',
  memory: 'Speicherbedarf',
  learningRate: 'Lernrate',
  troubles: {
    rising: 'Der Fehler steigt. Stoppe das Training und trainiere noch einmal mit einem Drittel der Lernrate (unter „Erweitert“).',
    flat: 'Der Fehler sinkt nicht. Gib dem Modell mehr Beispiele oder trage bei der Lernrate auto ein (unter „Erweitert“).',
    'no-difference': 'Das Modell lernt nichts, weil die Schritte zu klein sind, um etwas zu bewirken. Trainiere noch einmal mit einem zehnmal größeren Epsilon (unter „Erweitert“).',
    'large-difference': 'Die Schritte sind zu grob, um daraus zu lernen. Trainiere noch einmal mit einem zehnmal kleineren Epsilon (unter „Erweitert“).',
  },
};
