/** The results on texts that the model has not seen. */
import { count, percent } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const figures: Texts['figures'] = {
  title: '初めて見る文章の正解率',
  quoted: (label: string) => `「${label}」`,
  of: (right: number, all: number) => `${count(right)}/${count(all)}件`,
  none: 'なし',
  expect: (low: number, high: number) => `似たような文章なら、正解率は${percent(low)}〜${percent(high)}になる見込みです（95%信頼区間）。`,
  mark: (share: number, label: string) => `バーの印（${percent(share)}）は、常に${label}と答えた場合の正解率です。`,
  folded: (texts: number) => `${count(texts)}件の文章を1件ずつ、その文章を除いて学習したモデルに分類させました。`,
  measured: (texts: number) => `テスト用の文章${count(texts)}件で測りました。`,
  measuredSteps: (steps: number, texts: number) => `${count(steps)}ステップの学習の前後に、テスト用の文章${count(texts)}件で測りました。`,
  elsewhere: '正解率は、学習した端末で測定されました。学習記録には含まれていません。',
  /** A line during training: `share` of the texts are right, and `baseline` would be for one answer to all. */
  during: (folded: boolean, share: string, better: boolean, baseline: string, label: string) =>
    `${folded ? '初めて見る文章' : 'テスト用の文章'}の正解は${share}${better ? `で、常に${label}と答えた場合の${baseline}を上回っています。` : `です（常に${label}と答えた場合は${baseline}）。`}`,
  better: (label: string, share: number) => `見分け方を学びました。常に${label}と答えた場合の正解率は${percent(share)}です。`,
  notBetter: (label: string, share: number) => `学習の効果はまだ見えません。常に${label}と答えた場合の正解率は${percent(share)}です。`,
  worse: (label: string, share: number) => `当てずっぽうより悪い結果です。常に${label}と答えた場合の正解率は${percent(share)}です。`,
  same: (label: string) => `どの文章にも${label}と答えています。`,
  giveMore: '例を増やしてください。',
  giveMoreOrLonger: '例を増やすか、もっと長く学習させてください。',
  giveMoreCheck: '例を増やし、ラベルが正しいか確かめてください。',
  longerOrOther: 'もっと長く学習させるか、設定を変えてやり直してください。',
  tooFew: (texts: number) => `${count(texts)}件の文章では少なすぎて、学習できたかどうか判断できません。`,
  oneLabel: (label: string) => `テスト用の文章のラベルがすべて${label}なので、ラベルを見分けられるかどうかわかりません。`,
  wrong: '間違えた文章',
  noneWrong: 'ありません。',
  tap: '数字をタップすると、文章が表示されます。',
  cell: (texts: number, label: string, answered: string) => `正しくは${label}、答えは${answered}：${count(texts)}件`,
  itsLabel: '正しいラベル',
  answeredAs: 'モデルの答え',
  right: (right: number, all: number) => `正解${count(right)}/${count(all)}`,
  caption: 'ラベルごとに見たモデルの答え',
  takenFor: (texts: number, label: string, answered: string) => `${label}を${answered}と間違えた文章：${count(texts)}件`,
  wrongHead: (label: string, answered: string) => `正しくは${label}、答えは${answered}`,
  more: (texts: number) => `ほか${count(texts)}件`,
};
