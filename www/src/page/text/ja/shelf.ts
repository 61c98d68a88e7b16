/** The models that are stored on this device. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const shelf: Texts['shelf'] = {
  use: '使う',
  useIt: (name: string) => `${name}を使う`,
  delete: '削除',
  deleteIt: (name: string) => `${name}を削除`,
  incomplete: (size: number) => `${bytes(size)}、未完了`,
};
