/** What is shown while the model trains. */
import { count, duration, plural } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const live: Texts['live'] = {
  title: 'So antwortet es jetzt',
  done: 'Fertig',
  notification: 'Das Training ist beendet',
  failed: 'Das Training wurde durch einen Fehler beendet',
  notify: 'Benachrichtigen, wenn es fertig ist',
  left: (seconds: number) => `noch ${duration(seconds)}`,
  estimating: 'Restzeit wird geschätzt',
  pausing: 'Pause nach diesem Schritt',
  paused: (step: number, steps: number) => `Pause nach Schritt ${count(step)} von ${count(steps)}`,
  hidden: 'Wartet, solange diese Seite im Hintergrund ist',
  trained: (steps: number) => `${plural(steps, 'Schritt', 'Schritte')} trainiert`,
  learned: (rows: number) => `Aus ${plural(rows, 'Beispiel', 'Beispielen')} gelernt`,
  stoppedFirst: 'Vor dem ersten Schritt gestoppt',
  skip: 'Test überspringen',
  testing: 'Jetzt wird das Modell getestet, wie es ist. So siehst du später, was das Training verändert hat. Wenn du das überspringst, fehlt das „Vorher“ zum Vergleich.',
  retesting: 'Jetzt wird das trainierte Modell getestet. Wenn du das überspringst, gibt es kein Ergebnis zu sehen.',
  keepOpen: 'Lass diese Seite offen: Im Hintergrund pausiert das Training.',
  preparing: 'Der Grafikchip wird vorbereitet',
  evaluating: 'Das Modell wird getestet',
  programs: (ready: number, all: number) => `Der Grafikchip wird vorbereitet: ${count(ready)} von ${plural(all, 'Programm', 'Programmen')}`,
  evaluated: (done: number, all: number) => `Das Modell wird getestet: ${count(done)} von ${plural(all, 'Text', 'Texten')}`,
};
