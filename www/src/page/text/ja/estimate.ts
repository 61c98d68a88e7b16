/** How long a training takes on this device, told before it starts. */
import { count, duration } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const estimate: Texts['estimate'] = {
  quick: '最短',
  steps300: '300ステップ',
  about: (seconds: number) => `約${duration(seconds)}`,
  measuring: 'この端末でのモデルの速さを測定中',
  slow: (seconds: number) => `この端末では約${duration(seconds)}かかります。次の方法で速くなります：`,
  learnQuickly: '「すばやく」学ばせる（数秒から数分）',
  fewerSteps: 'ステップを減らす',
  fewerBits: 'ビット数を減らす：手順1の「メモリ」で4ビットを選び、モデルを読み込み直す',
  lora: '重みへの小さな追加部分だけを学習させる：「詳細設定」の「変える部分」でLoRAを選ぶ',
  shorter: '文章を短くする：「詳細設定」の「文章の最大長」',
  smallerBatch: '1ステップの例の数を減らす：「詳細設定」',
  truncated: (many: number, all: number, tokens: number) =>
    `${count(all)}件のうち${count(many)}件の文章が${count(tokens)}トークン（単語またはその一部）を超えています。読まれるのは最初の部分だけです。`,
  answersTruncated: (many: number, all: number, tokens: number) =>
    `例${count(all)}件のうち${count(many)}件が${count(tokens)}トークン（単語またはその一部）を超えています。その場合、質問は最後の部分だけが読まれます。答えだけで超えるものは学習できません。`,
};
