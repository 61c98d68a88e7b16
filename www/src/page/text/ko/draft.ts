/** The draft of a person's texts. */
import type { Texts } from '../en/index.ts';

export const draft: Texts['draft'] = {
  kept: '이 기기에 초안으로 저장했어요.',
  tooLarge: (size: string, most: string) => `이 파일은 ${size}예요. 초안에는 ${most}까지의 파일만 저장되니, 페이지를 새로고침하면 다시 선택해 주세요.`,
  clear: '지우기',
};
