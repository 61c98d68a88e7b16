/** Why examples cannot be used, and what to do about it. */
import { count } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const refusal: Texts['refusal'] = {
  title: 'この例はまだ使えません',
  lines: '読み取った最初の行：',
  oneLabel: (label: string) => `すべてのラベルが「${label}」です。`,
  noLabel: 'ラベルが1つもありません。',
  oneLabelAdvice: '違いを学ぶには、2種類以上のラベルの文章が必要です。別のラベルの文章を加えてください。',
  manyLabels: (found: number, column: string) => `「${column}」の列に${count(found)}種類のラベルがあります。`,
  manyLabelsAdvice: (most: number) => `別の列を選んでいるようです。ラベルは文章のグループのことで、${count(most)}種類まで使えます。`,
  single: '文章が1つだけです。',
  singleAdvice: 'このモデルは文章をグループに分類するので、1行に1つずつ、複数の文章が必要です。文章の書き方を学ばせるには、手順1で書くモデルを選んでください。',
  tooLarge: (name: string, size: string, most: string) => `${name}は${size}です。読めるのは${most}までです。`,
  tooLargeAdvice: '一部だけを使ってください。数千件の文章があれば十分です。',
  binary: (name: string) => `${name}はテキストファイルではありません。`,
  binaryAdvice: '作成したアプリで開き、CSVまたはプレーンテキストで保存してください。行をコピーして、ここに貼り付けることもできます。',
  other: '上に示した点を直してください。文章の列とラベルの列がある表や、「work: Meeting at 4」のような行が使えます。',
};
