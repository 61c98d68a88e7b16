/** Why examples cannot be used, and what to do about it. */
import { count } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const refusal: Texts['refusal'] = {
  title: '아직 이 예시를 쓸 수 없어요',
  lines: '읽은 처음 몇 줄:',
  oneLabel: (label: string) => `모두 라벨이 같아요: “${label}”`,
  noLabel: '라벨이 하나도 없어요.',
  oneLabelAdvice: '차이를 배우려면 라벨이 두 가지 이상인 글이 필요해요. 다른 라벨의 글을 추가하세요.',
  manyLabels: (found: number, column: string) => `“${column}” 열에 서로 다른 라벨이 ${count(found)}개 있어요.`,
  manyLabelsAdvice: (most: number) => `다른 열을 고른 것 같아요. 라벨은 글이 속한 그룹이고, ${count(most)}개까지 쓸 수 있어요.`,
  single: '글이 하나뿐이에요.',
  singleAdvice: '이 모델은 글을 그룹으로 분류하므로, 한 줄에 하나씩 여러 글이 필요해요. 글처럼 쓰는 법을 배우게 하려면 1단계에서 글을 쓰는 모델을 고르세요.',
  tooLarge: (name: string, size: string, most: string) => `${name}: 크기는 ${size}인데, 이 페이지는 ${most}까지 읽을 수 있어요.`,
  tooLargeAdvice: '일부만 쓰세요. 글 몇천 개면 충분해요.',
  binary: (name: string) => `텍스트 파일이 아니에요: ${name}`,
  binaryAdvice: '파일을 만든 프로그램에서 열어 CSV나 일반 텍스트로 저장하세요. 또는 행을 복사해서 여기에 붙여넣으세요.',
  other: '위에 적힌 것을 고치세요. 글 열과 라벨 열이 있는 표나 “work: Meeting at 4” 같은 줄을 쓸 수 있어요.',
};
