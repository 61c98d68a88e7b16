/** The models that are stored on this device. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const shelf: Texts['shelf'] = {
  use: 'Nutzen',
  useIt: (name: string) => `${name} nutzen`,
  delete: 'Löschen',
  deleteIt: (name: string) => `${name} löschen`,
  incomplete: (size: number) => `${bytes(size)}, unvollständig`,
};
