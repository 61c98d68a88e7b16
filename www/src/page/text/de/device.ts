/** What a model needs, and what this device has. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const device: Texts['device'] = {
  gpuMemory: 'Grafikspeicher',
  memory: 'Arbeitsspeicher',
  /** `memory` is one of the two names above. */
  trainingNeeds: (peak: number, memory: string, reported: number | undefined) =>
    `Das Training braucht ${bytes(peak)} ${memory}${reported === undefined ? '' : `; dieses Gerät meldet ${reported >= 8 ? 'mindestens ' : ''}${reported} GB Arbeitsspeicher`}.`,
  storageShort: 'Dafür reicht der Speicherplatz nicht. Schaffe Platz oder lösche unten ein Modell.',
  tabLimit: (limit: number) => `Ohne GPU kann diese Seite etwa ${bytes(limit)} Arbeitsspeicher nutzen. Wähle ein kleineres Modell oder weniger Bit unter „Arbeitsspeicher“.`,
  heavy: 'Das ist viel für dieses Gerät. Der Arbeitsspeicher reicht vielleicht nicht.',
  alreadyHere: (size: number) => `Es ist schon auf diesem Gerät (${bytes(size)}).`,
  download: (size: number, here: number, space: number | undefined) =>
    `Der Download ist ${bytes(size)} groß${here > 0 ? `, ${bytes(here)} davon sind schon hier` : ''}${space === undefined ? '' : `; dieser Browser hat Platz für ${bytes(space)}`}.`,
  hasMemory: (memory: string) => `So viel ${memory} hat dieses Gerät: Die Seite hat es gerade ausprobiert.`,
  lacksMemory: (memory: string) => `So viel ${memory} hat dieses Gerät gerade nicht. Schließe andere Tabs, wähle weniger Bit unter „Arbeitsspeicher“ oder nimm ein kleineres Modell.`,
  ofUnknownSize: 'Größe unbekannt',
  /** An entry of the list of a model's files. */
  file: (name: string, size: string, suits: boolean) => `${name} (${size})${suits ? ', passt zu diesem Gerät' : ''}`,
};
