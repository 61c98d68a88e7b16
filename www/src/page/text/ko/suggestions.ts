/** Models of the hub that work here. */
import { bytes, duration } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const suggestions: Texts['suggestions'] = {
  quickest: '짧은 영어 글 분류. 가장 빨라요.',
  writing: '영어 글쓰기. 금방 해 볼 수 있어요.',
  sorting: '영어 글 분류.',
  chatting: '영어로 대화하고 답하기.',
  sortingExactly: '영어 글 분류. 더 정확해요.',
  chattingBetter: '영어로 대화하고 답하기. 더 잘해요.',
  chattingLanguages: '여러 언어로 대화하고 답하기.',
  sortingLanguages: '100개 언어의 글 분류.',
  sortingPaper: 'MeZO 논문에서와 같은 영어 글 분류. 컴퓨터에서 쓰세요.',
  download: (size: number) => `다운로드: ${bytes(size)}.`,
  look: '보기',
  lookAt: (id: string) => `${id} 보기`,
  measuring: '이 기기의 속도 측정 중',
  unmeasured: '이 기기의 속도를 측정하지 못했어요.',
  estimates: '시간은 방금 측정한 이 기기의 속도로 어림한 값이에요.',
  tooSlow: '이 기기에서는 너무 느려서 쓰기 어려워요.',
  learns: (seconds: number, texts: number) => `이 기기에서는 짧은 글 ${texts}개를 배우는 데 약 ${duration(seconds)} 걸려요.`,
  steps: (seconds: number, steps: number) => `이 기기에서는 처음 ${steps}스텝에 약 ${duration(seconds)} 걸려요.`,
};
