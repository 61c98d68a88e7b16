/** How long a training takes on this device, told before it starts. */
import { count, duration } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const estimate: Texts['estimate'] = {
  quick: 'Sehr kurz',
  steps300: '300 Schritte',
  about: (seconds: number) => `etwa ${duration(seconds)}`,
  measuring: 'Gemessen wird, wie schnell das Modell auf diesem Gerät ist',
  slow: (seconds: number) => `Auf diesem Gerät dauert das etwa ${duration(seconds)} und geht schneller mit:`,
  learnQuickly: 'schnellem Lernen, das Sekunden bis Minuten dauert',
  fewerSteps: 'weniger Schritten',
  fewerBits: 'weniger Bit: Lade das Modell in Schritt 1 neu, mit 4 Bit unter „Arbeitsspeicher“',
  lora: 'nur einem kleinen Zusatz zu den Gewichten: unter „Erweitert“ bei „Was sich ändert“, LoRA',
  shorter: 'kürzeren Texten: unter „Erweitert“ bei „Längster Text“',
  smallerBatch: 'weniger Beispielen pro Schritt, unter „Erweitert“',
  truncated: (many: number, all: number, tokens: number) =>
    `${count(many)} von ${count(all)} Texten ${many === 1 ? 'ist' : 'sind'} länger als ${count(tokens)} Token (Wörter oder Teile davon). Nur der Anfang wird gelesen.`,
  answersTruncated: (many: number, all: number, tokens: number) =>
    `${count(many)} von ${count(all)} Beispielen ${many === 1 ? 'ist' : 'sind'} länger als ${count(tokens)} Token (Wörter oder Teile davon). Von der Frage wird dann nur das Ende gelesen. Eine Antwort, die allein schon länger ist, kann nicht gelernt werden.`,
};
