/** Saving what was learned. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const keep: Texts['keep'] = {
  title: '저장하기',
  record: '학습 기록 다운로드',
  recordNote: '몇 킬로바이트짜리 파일이에요. 학습에 쓴 원래 모델만 있으면, 이 기기나 다른 기기에서 똑같은 결과를 다시 만들 수 있어요. 라벨과 설정은 들어 있지만, 내 글은 들어 있지 않아요.',
  share: '공유하기',
  adapter: '어댑터 다운로드',
  adapterNote: '모델은 빼고 배운 것만 담은 zip 파일이에요. 압축을 풀면 Python 라이브러리 peft에서, 많은 모델은 llama.cpp에서도 불러올 수 있어요.',
  model: '모델 전체 다운로드',
  back: '학습으로 돌아가기',
  twoLibraries: 'transformers 또는 sentence-transformers',
  modelNote: (size: number, opens: string) => `모델의 파일을 모두 담은 zip 파일이에요(약 ${bytes(size)}). 압축을 풀면 Python 라이브러리(${opens})에서 폴더를 열 수 있어요.`,
  opensHere: '이 페이지의 “내 파일에서”에서는 그대로 열 수 있어요.',
};
