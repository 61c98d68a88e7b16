/** What to do when storage is full, or when there is none. */
import type { Texts } from '../en/index.ts';

export const space: Texts['space'] = {
  needs: (needed: string) => `공간이 약 ${needed} 필요해요.`,
  needsAndFree: (needed: string, free: string) => `공간이 약 ${needed} 필요한데, ${free} 남아 있어요.`,
  modelFull: '브라우저에 이 모델을 저장할 공간이 없어요',
  models: '삭제할 수 있는 모델:',
  delete: '삭제',
  deleteModel: (name: string) => `${name} 삭제`,
  again: '다시 시도',
  without: '저장하지 않고 학습하기',
  nothingStored: '이 브라우저는 이 페이지의 데이터를 저장하지 않아요. 다운로드하지 않고 탭을 닫으면 배운 것이 사라져요.',
};
