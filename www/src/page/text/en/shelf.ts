/** The models that are stored on this device. */
import { bytes } from '../../format.ts';

export const shelf = {
  use: 'Use',
  useIt: (name: string) => `Use ${name}`,
  delete: 'Delete',
  deleteIt: (name: string) => `Delete ${name}`,
  incomplete: (size: number) => `${bytes(size)}, incomplete`,
};
