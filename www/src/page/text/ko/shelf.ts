/** The models that are stored on this device. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const shelf: Texts['shelf'] = {
  use: '사용',
  useIt: (name: string) => `${name} 사용`,
  delete: '삭제',
  deleteIt: (name: string) => `${name} 삭제`,
  incomplete: (size: number) => `${bytes(size)}, 일부만 받음`,
};
