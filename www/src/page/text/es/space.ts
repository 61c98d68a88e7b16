/** What to do when storage is full, or when there is none. */
import type { Texts } from '../en/index.ts';

export const space: Texts['space'] = {
  needs: (needed: string) => `Hacen falta unos ${needed}.`,
  needsAndFree: (needed: string, free: string) => `Hacen falta unos ${needed} y hay ${free} libres.`,
  modelFull: 'Al navegador no le queda espacio para este modelo',
  models: 'Modelos que podrías eliminar:',
  delete: 'Eliminar',
  deleteModel: (name: string) => `Eliminar ${name}`,
  again: 'Reintentar',
  without: 'Entrenar sin guardarlo',
  nothingStored: 'Este navegador no guarda nada para esta página. Cuando cierres la pestaña, lo aprendido se perderá, a menos que lo descargues.',
};
