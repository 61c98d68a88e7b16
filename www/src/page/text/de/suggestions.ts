/** Models of the hub that work here. */
import { bytes, duration } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const suggestions: Texts['suggestions'] = {
  quickest: 'Kurze englische Texte sortieren. Am schnellsten.',
  writing: 'Englisch schreiben. Schnell ausprobiert.',
  sorting: 'Englische Texte sortieren.',
  chatting: 'Auf Englisch chatten und antworten.',
  sortingExactly: 'Englische Texte sortieren, genauer.',
  chattingBetter: 'Auf Englisch chatten und antworten, besser.',
  chattingLanguages: 'In vielen Sprachen chatten und antworten.',
  sortingLanguages: 'Texte in hundert Sprachen sortieren.',
  sortingPaper: 'Englische Texte sortieren wie in der Studie zu MeZO. Für Computer.',
  download: (size: number) => `Download: ${bytes(size)}.`,
  look: 'Ansehen',
  lookAt: (id: string) => `${id} ansehen`,
  measuring: 'Es wird gemessen, wie schnell dieses Gerät ist',
  unmeasured: 'Dieses Gerät konnte nicht gemessen werden.',
  estimates: 'Die Zeiten sind Schätzungen für dieses Gerät, das gerade gemessen wurde.',
  tooSlow: 'Auf diesem Gerät: zu langsam, um nützlich zu sein.',
  learns: (seconds: number, texts: number) => `Auf diesem Gerät: etwa ${duration(seconds)}, um aus ${texts} kurzen Texten zu lernen.`,
  steps: (seconds: number, steps: number) => `Auf diesem Gerät: etwa ${duration(seconds)} für die ersten ${steps} Schritte.`,
};
