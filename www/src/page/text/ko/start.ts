/** The head of the page. */
import type { Texts } from '../en/index.ts';

export const start: Texts['start'] = {
  description: '내 글로 언어 모델을 가르쳐 보세요. 모두 이 탭 안에서 이루어지고, 기기 밖으로는 아무것도 나가지 않아요.',
  pageTitle: 'PocketLLM: 이 탭에서 언어 모델 가르치기',
  skip: '단계로 바로 가기',
  title: '내 글로 AI 가르치기',
  lead: '예시 몇 개만 있으면, 이 기기의 작은 AI가 나처럼 분류하고, 쓰고, 답하는 법을 배워요. 준비해 둔 것부터 해 보세요.',
  private: '입력한 글은 이 기기에만 남아요.',
  notSent: '어떤 서버로도 보내지 않아요.',
  noScript: '학습이 이 페이지 안에서 이루어지기 때문에 JavaScript가 필요해요. JavaScript를 켜 주세요.',
  language: '언어',
  stepOf: (step: number) => `4단계 중 ${step}단계`,
};
