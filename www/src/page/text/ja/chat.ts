/** Writing with the model. */
import type { Texts } from '../en/index.ts';

export const chat: Texts['chat'] = {
  title: 'モデルで書いてみる',
  log: 'これまでのやり取り',
  how: '書き方',
  continue: '続きを書く',
  talk: 'チャット',
  input: 'あなたの文章',
  tokens: '最大の長さ（トークン）',
  temperature: 'ランダムさ',
  send: '書かせる',
  stop: '停止',
  clear: '消去',
  lengthName: '最大の長さ',
  nothing: '（返答なし）',
  empty: '先に何か入力してください。',
};
