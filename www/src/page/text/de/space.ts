/** What to do when storage is full, or when there is none. */
import type { Texts } from '../en/index.ts';

export const space: Texts['space'] = {
  needs: (needed: string) => `Nötig sind etwa ${needed}.`,
  needsAndFree: (needed: string, free: string) => `Nötig sind etwa ${needed}, frei sind ${free}.`,
  modelFull: 'Der Browser hat keinen Platz mehr für dieses Modell',
  models: 'Diese Modelle könntest du löschen:',
  delete: 'Löschen',
  deleteModel: (name: string) => `${name} löschen`,
  again: 'Erneut versuchen',
  without: 'Trainieren, ohne zu speichern',
  nothingStored: 'Dieser Browser speichert nichts für diese Seite. Wenn du den Tab schließt, ist das Gelernte verloren, außer du lädst es herunter.',
};
