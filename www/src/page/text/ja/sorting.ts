/** Sorting a whole list of texts. */
import { count } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const sorting: Texts['sorting'] = {
  title: '文章をまとめて分類',
  field: '文章（1行に1件）',
  note: '貼り付けるか、ファイルを選んでください。アップロードはしません。',
  choose: 'ファイルを選ぶ',
  start: '分類する',
  stop: '停止',
  download: '表をダウンロード（CSV）',
  fileName: 'sorted.csv',
  /** The columns of the table. */
  text: '文章',
  label: 'ラベル',
  probability: '確信度',
  reading: '文章を読み込み中',
  progress: (done: number, all: number) => `${count(done)}/${count(all)}件を分類`,
  done: (all: number) => `${count(all)}件を分類しました`,
  foreign: (texts: number) => `${count(texts)}件の文は、このモデルがほとんど知らない文字で書かれています。確率が高く見えても、そのラベルはあまり当てになりません。`,
  stopped: (done: number, all: number) => `${count(all)}件中${count(done)}件で停止しました`,
  leastSure: '特に自信のない文章',
  first: '最初の数件',
  empty: '文章を貼り付けるか、ファイルを選んでください。',
  chosen: (name: string, rows: number) => `${name}：${count(rows)}件。`,
  columns: (name: string) => `「${name}」の列の文章を使います。`,
};
