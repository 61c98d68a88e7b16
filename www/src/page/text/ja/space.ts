/** What to do when storage is full, or when there is none. */
import type { Texts } from '../en/index.ts';

export const space: Texts['space'] = {
  needs: (needed: string) => `約${needed}が必要です。`,
  needsAndFree: (needed: string, free: string) => `約${needed}が必要ですが、空き容量は${free}です。`,
  modelFull: 'このモデルを保存する空き容量がブラウザーにありません',
  models: '削除できるモデル：',
  delete: '削除',
  deleteModel: (name: string) => `${name}を削除`,
  again: 'もう一度試す',
  without: '保存せずに学習させる',
  nothingStored: 'このブラウザーには、このページのデータが保存されません。ダウンロードしておかないと、タブを閉じたときに学んだ内容が失われます。',
};
