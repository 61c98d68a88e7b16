/** The draft of a person's texts. */
import type { Texts } from '../en/index.ts';

export const draft: Texts['draft'] = {
  kept: '下書きとしてこの端末に保存しました。',
  clear: '消去',
};
