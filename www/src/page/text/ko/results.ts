/** Trying what was learned. */
import type { Texts } from '../en/index.ts';

export const results: Texts['results'] = {
  title: '사용해 보고 저장하기',
  sentences: '내 문장',
  noSentences: '아직 없어요. 아래에서 하나 해 보세요.',
  another: '다른 문장으로 해 보기',
  ask: '물어보기',
  empty: '먼저 문장을 쓰세요.',
  learned: '배울 때 본 글이라서 아는 것이 당연해요.',
  foreign: '이 모델은 이 글의 문자를 거의 몰라요. 확실해 보여도 믿을 만한 답이 아니에요.',
  unlike: '이 글의 단어는 예시에 거의 나오지 않고, 모델은 배우지 않은 언어를 읽을 때처럼 단어를 조각내어 읽어요. 확실해 보여도 믿을 만한 답이 아니에요.',
};
