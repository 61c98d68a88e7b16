/** The draft of a person's texts. */
import type { Texts } from '../en/index.ts';

export const draft: Texts['draft'] = {
  kept: '下書きとしてこの端末に保存しました。',
  tooLarge: (size: string, most: string) => `このファイルは${size}です。下書きに保存できるのは${most}までなので、ページを再読み込みしたら選び直してください。`,
  clear: '消去',
};
