/** Writing with the model. */
import type { Texts } from '../en/index.ts';

export const chat: Texts['chat'] = {
  title: '모델과 함께 쓰기',
  log: '쓴 내용',
  how: '쓰는 방식',
  continue: '내 글 이어 쓰기',
  talk: '대화',
  input: '내 글',
  tokens: '최대 길이(토큰)',
  temperature: '무작위성',
  send: '쓰게 하기',
  stop: '중지',
  clear: '지우기',
  lengthName: '최대 길이',
  nothing: '(답 없음)',
  empty: '먼저 글을 쓰세요.',
};
