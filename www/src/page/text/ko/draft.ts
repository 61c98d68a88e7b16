/** The draft of a person's texts. */
import type { Texts } from '../en/index.ts';

export const draft: Texts['draft'] = {
  kept: '이 기기에 초안으로 저장했어요.',
  clear: '지우기',
};
