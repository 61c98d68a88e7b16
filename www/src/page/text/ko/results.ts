/** Trying what was learned. */
import type { Texts } from '../en/index.ts';

export const results: Texts['results'] = {
  title: '사용해 보고 저장하기',
  sentences: '내 문장',
  noSentences: '아직 없어요. 아래에서 하나 해 보세요.',
  another: '다른 문장으로 해 보기',
  ask: '물어보기',
};
