/** What is wrong with the words and the sentence by which a model is asked for a label. `where` follows each of them. */
import type { Texts } from '../en/index.ts';

export const prompt: Texts['prompt'] = {
  where: '手順2の「モデルへの聞き方」で直すか、単語のいらない「すばやく」で学習させてください。',
  noWord: '単語が決まっていないラベルがあります',
  sameWord: '2つのラベルの単語が同じです',
  noText: '文に{text}を入れてください',
  noMask: '文に[MASK]を1つだけ入れてください',
  unknownWords: (words: readonly string[]) => `このモデルは${words.map((word) => `「${word}」`).join('、')}を1つの単語として知りません。ラベルごとに、モデルの言語の一般的な単語を小文字で入れてください`,
  /** `found` is what the engine says, in English. */
  unknownWord: (found: string) => `${found}：ラベルの単語には、小文字の一般的な単語など、モデルが知っているものを使ってください`,
  change: '単語を変更',
};
