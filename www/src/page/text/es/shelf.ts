/** The models that are stored on this device. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const shelf: Texts['shelf'] = {
  use: 'Usar',
  useIt: (name: string) => `Usar ${name}`,
  delete: 'Eliminar',
  deleteIt: (name: string) => `Eliminar ${name}`,
  incomplete: (size: number) => `${bytes(size)}, incompleto`,
};
