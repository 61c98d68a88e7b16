/** Loading a model, and opening a record. */
import { plural } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const loading: Texts['loading'] = {
  download: 'Modell wird heruntergeladen',
  device: 'Rechenprogramm wird gestartet',
  config: 'Beschreibung des Modells wird gelesen',
  weights: 'Zahlen des Modells werden gelesen',
  tuning: 'GPU wird gemessen',
  replay: 'Schritte werden wiederholt',
  search: 'Lernraten werden ausprobiert',
  readout: 'Aus den Beispielen wird gelernt',
  fit: 'Anpassung an die Beispiele',
  mine: 'Mein Modell',
  quickRecord: 'schnell gelernt, aus einem Protokoll',
  withAdapter: ', mit einem Adapter',
  stepsRecord: (steps: number) => `${plural(steps, 'Schritt', 'Schritte')}, aus einem Protokoll`,
  of: (done: string, all: string) => `${done} von ${all}`,
  zipDamaged: 'dieses Archiv ist beschädigt oder unvollständig',
  zipTooLarge: 'ein Archiv von mehr als 4 GB: Entpacke es und wähle seine Dateien',
  zipUnread: (name: string) => `${name} darin ist verschlüsselt oder ungewöhnlich komprimiert: Entpacke das Archiv und wähle seine Dateien`,
  noRecord: (name: string) => `${name} enthält weder ein Trainingsprotokoll noch einen Adapter, oder die Datei ist beschädigt.`,
  zipReadout: 'Darin steckt schnell Gelerntes (2_Dense), das diese Seite nicht aus einem Archiv öffnet: Lade das Modell, mit dem es begann, und öffne sein Trainingsprotokoll',
};
