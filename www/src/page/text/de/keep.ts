/** Saving what was learned. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const keep: Texts['keep'] = {
  title: 'Speichern',
  record: 'Trainings\u00adprotokoll herunter\u00adladen',
  recordNote: 'Eine Datei von wenigen Kilobyte. Zusammen mit dem Modell, mit dem du begonnen hast, stellt sie genau dieses Ergebnis wieder her, auf diesem oder einem anderen Gerät. Sie enthält deine Kategorien und Einstellungen, aber keinen deiner Texte.',
  share: 'Teilen',
  adapter: 'Adapter herunter\u00adladen',
  adapterNote: 'Nur das Gelernte, ohne das Modell, als ZIP-Datei. Nach dem Entpacken kann die Python-Bibliothek peft es laden, bei vielen Modellen auch llama.cpp.',
  model: 'Ganzes Modell herunter\u00adladen',
  back: 'Zurück zum Training',
  twoLibraries: 'transformers oder sentence-transformers',
  modelNote: (size: number, opens: string) => `Eine ZIP-Datei mit allen Dateien des Modells, etwa ${bytes(size)}. Nach dem Entpacken öffnet die Python-Bibliothek ${opens} den Ordner.`,
  opensHere: 'Diese Seite öffnet sie so, wie sie ist, unter „Aus meinen Dateien“.',
};
