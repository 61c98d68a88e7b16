/** What a model needs, and what this device has. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const device: Texts['device'] = {
  gpuMemory: 'GPUメモリ',
  memory: 'メモリ',
  /** `memory` is one of the two names above. */
  trainingNeeds: (peak: number, memory: string, reported: number | undefined) =>
    `学習には${memory}が${bytes(peak)}必要です。${reported === undefined ? '' : `この端末のメモリは${reported} GB${reported >= 8 ? '以上' : ''}です。`}`,
  storageShort: '保存する空き容量が足りません。空きを増やすか、下の一覧からモデルを削除してください。',
  tabLimit: (limit: number) => `GPUがない場合、このページで使えるのは約${bytes(limit)}までです。小さいモデルを選ぶか、「メモリ」でビット数を減らしてください。`,
  heavy: 'この端末には負担が大きく、メモリが足りなくなるかもしれません。',
  alreadyHere: (size: number) => `この端末に保存済みです（${bytes(size)}）。`,
  download: (size: number, here: number, space: number | undefined) =>
    `ダウンロードは${bytes(size)}です${here > 0 ? `（うち${bytes(here)}は保存済み）` : ''}。${space === undefined ? '' : `このブラウザーの空き容量は${bytes(space)}です。`}`,
  hasMemory: (memory: string) => `実際に試したところ、この端末の${memory}は足りています。`,
  lacksMemory: (memory: string) => `今は、この端末の${memory}が足りません。ほかのタブを閉じるか、「メモリ」でビット数を減らすか、小さいモデルを選んでください。`,
  ofUnknownSize: 'サイズ不明',
  /** An entry of the list of a model's files. */
  file: (name: string, size: string, suits: boolean) => `${name}（${size}）${suits ? '・この端末向き' : ''}`,
};
