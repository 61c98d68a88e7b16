/** The chart of a training, and what its curve shows. */
import { count } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const chart: Texts['chart'] = {
  /** Beside the axes. */
  error: '오차',
  step: '스텝',
  /** For people who do not see it. */
  described: (steps: number, first: string, last: string) => `${count(steps)}스텝 동안의 오차: 처음 ${first}, 마지막 ${last}`,
  cropped: (low: string) => `세로축은 0이 아니라 ${low}에서 시작해요.`,
  early: '처음에는 선이 오르내려요. 수백 스텝이 지나면 방향이 보여요.',
  few: '스텝이 이렇게 적으면 아직 뚜렷한 변화가 보이지 않아요. 수백 스텝은 학습해 보세요.',
  falling: '오차가 줄고 있어요.',
  unclear: '아직 뚜렷한 변화가 없어요.',
  better: '배우고 있어요. 처음 보는 글을 늘 같은 답만 할 때보다 잘 분류해요.',
  fallingOnly: '오차는 줄고 있지만, 처음 보는 글을 아직 늘 같은 답만 할 때보다 잘 분류하지는 못해요.',
  worse: '처음 보는 글을 분류한 결과가 늘 같은 답만 할 때보다도 나빠요.',
  tokensPerSecond: '초당 토큰',
  stepTime: '스텝당 시간',
  memory: '사용 메모리',
  learningRate: '학습률',
  troubles: {
    rising: '오차가 커지고 있어요. 중지한 다음, “고급 설정”에서 학습률을 3분의 1로 줄여 다시 학습하세요.',
    flat: '오차가 줄지 않아요. 예시를 더 주거나, “고급 설정”의 학습률에 auto라고 입력하세요.',
    'no-difference': '한 번에 바꾸는 폭이 너무 작아서 모델이 아무것도 배우지 못해요. “고급 설정”에서 엡실론을 10배로 키워 다시 학습하세요.',
    'large-difference': '한 번에 바꾸는 폭이 너무 커서 배울 수 없어요. “고급 설정”에서 엡실론을 10분의 1로 줄여 다시 학습하세요.',
  },
};
