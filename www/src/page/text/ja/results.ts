/** Trying what was learned. */
import type { Texts } from '../en/index.ts';

export const results: Texts['results'] = {
  title: '試して保存する',
  sentences: '比べる文',
  noSentences: 'まだありません。下の欄で試してください。',
  another: '別の文を試す',
  ask: '聞く',
  empty: '先に文を入力してください。',
  learned: 'これは学習に使った文なので、知っていて当然です。',
  foreign: 'このモデルは、この文の文字をほとんど知りません。確率が高く見えても、答えはあまり当てになりません。',
  unlike: 'この文の単語は例にほとんど出てきません。モデルはその単語を、学んでいない言語のように細切れに読みます。確率が高く見えても、答えはあまり当てになりません。',
};
