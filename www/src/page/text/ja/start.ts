/** The head of the page. */
import type { Texts } from '../en/index.ts';

export const start: Texts['start'] = {
  description: 'このタブの中で、自分の文章から言語モデルを育てられます。データが端末の外に出ることはありません。',
  pageTitle: 'PocketLLM：このタブで言語モデルを育てる',
  skip: '手順へ移動',
  title: '自分の文章でAIを育てよう',
  lead: 'いくつかの例を見せると、この端末の中の小さなAIが、あなたと同じように分類したり、書いたり、答えたりできるようになります。まずは見本からどうぞ。',
  private: 'あなたの文章は、この端末から出ません。',
  notSent: 'どのサーバーにも送信されません。',
  noScript: '学習はこのページの中で行うため、JavaScriptが必要です。オンにしてください。',
  language: '言語',
  stepOf: (step: number) => `手順${step}/4`,
};
