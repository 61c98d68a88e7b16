/** How long a training takes on this device, told before it starts. */
import { count, duration } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const estimate: Texts['estimate'] = {
  quick: '아주 짧게',
  steps300: '300스텝',
  about: (seconds: number) => `약 ${duration(seconds)}`,
  measuring: '이 기기에서 모델이 얼마나 빠른지 재는 중',
  slow: (seconds: number) => `이 기기에서는 약 ${duration(seconds)} 걸려요. 이렇게 하면 빨라져요.`,
  learnQuickly: '빠르게 배우기(몇 초에서 몇 분)',
  fewerSteps: '스텝 수 줄이기',
  fewerBits: '비트 줄이기: 1단계의 “메모리”에서 4비트를 골라 모델을 다시 불러오기',
  lora: '가중치에 덧붙인 작은 부분만 학습하기: “고급 설정”의 “바꿀 부분”에서 LoRA 고르기',
  shorter: '글을 더 짧게: “고급 설정”의 “글 최대 길이”',
  smallerBatch: '스텝당 예시 수 줄이기: “고급 설정”',
  truncated: (many: number, all: number, tokens: number) =>
    `글 ${count(all)}개 중 ${count(many)}개가 ${count(tokens)}토큰(단어 또는 단어의 조각)보다 길어요. 앞부분만 읽어요.`,
  answersTruncated: (many: number, all: number, tokens: number) =>
    `예시 ${count(all)}개 중 ${count(many)}개가 ${count(tokens)}토큰(단어 또는 단어의 조각)보다 길어요. 이때 질문은 끝부분만 읽어요. 답만으로 더 긴 것은 배울 수 없어요.`,
};
