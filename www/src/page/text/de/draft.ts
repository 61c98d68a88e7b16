/** The draft of a person's texts. */
import type { Texts } from '../en/index.ts';

export const draft: Texts['draft'] = {
  kept: 'Als Entwurf auf diesem Gerät gespeichert.',
  clear: 'Löschen',
};
