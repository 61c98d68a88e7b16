/** The draft of a person's texts. */
import type { Texts } from '../en/index.ts';

export const draft: Texts['draft'] = {
  kept: 'Als Entwurf auf diesem Gerät gespeichert.',
  tooLarge: (size: string, most: string) => `Diese Datei hat ${size}. Als Entwurf werden Dateien bis ${most} gespeichert: Wähle sie noch einmal aus, wenn die Seite neu geladen wurde.`,
  clear: 'Löschen',
};
