/** The results on texts that the model has not seen. */
import { count, percent } from '../../format.ts';
import type { Texts } from '../en/index.ts';

/** The labels come in quotation marks. */
const always = (label: string): string => `늘 ${label} 라벨로만 답하면`;

export const figures: Texts['figures'] = {
  title: '처음 보는 글을 바르게 분류한 비율',
  quoted: (label: string) => `“${label}”`,
  of: (right: number, all: number) => `${count(right)}/${count(all)}개`,
  none: '없음',
  expect: (low: number, high: number) => `이와 비슷한 다른 글에서는 정답률이 ${percent(low)}~${percent(high)} 정도일 거예요(95% 구간).`,
  mark: (share: number, label: string) => `막대의 표시는 늘 ${label} 라벨로만 답했을 때의 정답률이에요(${percent(share)}).`,
  folded: (texts: number) => `글 ${count(texts)}개를 하나씩, 그 글을 보지 않고 배운 모델로 분류했어요.`,
  measured: (texts: number) => `따로 남겨 둔 글 ${count(texts)}개로 측정했어요.`,
  measuredSteps: (steps: number, texts: number) => `${count(steps)}스텝을 학습하기 전과 후에, 따로 남겨 둔 글 ${count(texts)}개로 측정했어요.`,
  elsewhere: '정확도는 학습한 기기에서 측정했어요. 학습 기록에는 들어 있지 않아요.',
  /** A line during training: `share` of the texts are right, and `baseline` would be for one answer to all. */
  during: (folded: boolean, share: string, better: boolean, baseline: string, label: string) =>
    `${folded ? '보지 않고 분류한 글' : '따로 남겨 둔 글'}: 정답 ${share}. 늘 ${label} 라벨로만 답할 때(${baseline})${better ? '보다 나아요' : '와 비교해 보세요'}.`,
  better: (label: string, share: number) => `라벨을 구별하는 법을 배웠어요. ${always(label)} 정답률은 ${percent(share)}예요.`,
  notBetter: (label: string, share: number) => `아직 배운 것이 드러나지 않아요. ${always(label)} 정답률은 ${percent(share)}예요.`,
  worse: (label: string, share: number) => `찍는 것보다 못해요. ${always(label)} 정답률은 ${percent(share)}예요.`,
  same: (label: string) => `모델이 모든 글에 ${label} 라벨로 답해요.`,
  giveMore: '예시를 더 주세요.',
  giveMoreOrLonger: '예시를 더 주거나, 더 오래 학습해 보세요.',
  giveMoreCheck: '예시를 더 주고, 라벨이 맞는지 확인하세요.',
  longerOrOther: '더 오래 학습하거나, 설정을 바꿔 다시 학습해 보세요.',
  tooFew: (texts: number) => `글 ${count(texts)}개는 너무 적어서, 무언가 배웠는지 알 수 없어요.`,
  oneLabel: (label: string) => `따로 남겨 둔 글이 모두 ${label} 라벨이라서, 라벨을 구별하는지 알 수 없어요.`,
  wrong: '잘못 분류한 글',
  noneWrong: '하나도 없어요.',
  tap: '숫자를 누르면 글을 볼 수 있어요.',
  cell: (texts: number, label: string, answered: string) => `${label} 라벨인데 ${answered} 라벨로 답한 글 ${count(texts)}개`,
  itsLabel: '실제 라벨',
  answeredAs: '모델의 답',
  right: (right: number, all: number) => `${count(all)}개 중 ${count(right)}개 정답`,
  caption: '라벨별 모델의 답',
  takenFor: (texts: number, label: string, answered: string) => `${label} → ${answered}: ${count(texts)}개`,
  wrongHead: (label: string, answered: string) => `실제 라벨 ${label}, 모델의 답 ${answered}`,
  more: (texts: number) => `외 ${count(texts)}개`,
};
