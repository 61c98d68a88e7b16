/** Trying what was learned. */
import type { Texts } from '../en/index.ts';

export const results: Texts['results'] = {
  title: '試して保存する',
  sentences: '比べる文',
  noSentences: 'まだありません。下の欄で試してください。',
  another: '別の文を試す',
  ask: '聞く',
};
