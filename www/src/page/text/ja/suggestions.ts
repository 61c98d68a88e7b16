/** Models of the hub that work here. */
import { bytes, duration } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const suggestions: Texts['suggestions'] = {
  quickest: '短い英語の文章の分類。最も速いモデル。',
  writing: '英語の文章を書く。すぐ試せます。',
  sorting: '英語の文章の分類。',
  chatting: '英語でのチャットと返答。',
  sortingExactly: '英語の文章の、より正確な分類。',
  chattingBetter: '英語での、より上手なチャットと返答。',
  chattingLanguages: '多くの言語でのチャットと返答。',
  sortingLanguages: '100の言語の文章の分類。',
  sortingPaper: 'MeZOの論文と同じ、英語の文章の分類。パソコン向け。',
  download: (size: number) => `ダウンロード：${bytes(size)}。`,
  look: '見る',
  lookAt: (id: string) => `${id}を見る`,
  measuring: 'この端末の速さを測定中',
  unmeasured: 'この端末の速さを測れませんでした。',
  estimates: '時間は、たった今測ったこの端末の速さによる目安です。',
  tooSlow: 'この端末：遅すぎて実用的ではありません。',
  learns: (seconds: number, texts: number) => `この端末：短い文章${texts}件の学習に約${duration(seconds)}。`,
  steps: (seconds: number, steps: number) => `この端末：最初の${steps}ステップに約${duration(seconds)}。`,
};
