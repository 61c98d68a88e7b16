/** How the columns of a file or the lines of a text were understood. */
import type { Texts } from '../en/index.ts';

export const columns: Texts['columns'] = {
  marks: { colon: '콜론', comma: '쉼표', semicolon: '세미콜론', tab: '탭' },
  numbered: (at) => `${at}번째 열`,
  before: (mark) => `${mark} 앞부분`,
  after: (mark) => `${mark} 뒷부분`,
  named: (name) => `“${name}” 열`,
  labels: (many, names, more) => ` (라벨 ${many}개: ${names.map((name) => `“${name}”`).join(', ')}${more ? ' 등' : ''})`,
  divided: {
    first: (mark, labels) => `각 줄에서 첫 ${mark} 앞에 있는 것이 라벨이에요${labels}.`,
    last: (mark, labels) => `각 줄에서 마지막 ${mark} 뒤에 있는 것이 라벨이에요${labels}.`,
  },
  both: (text, label, labels) => `글은 ${text}에, 라벨은 ${label}에 있어요${labels}.`,
  noLabel: (text) => `글은 ${text}에 있어요. 라벨로 쓰는 열은 없어요.`,
  noText: '글로 쓰는 열이 없어요.',
  firstNames: '첫 줄은 열의 이름이에요.',
  firstExample: '첫 줄도 예시예요.',
  encoding: (name) => `글의 문자 인코딩은 ${name}이에요.`,
  carriageReturns: '줄 끝이 옛 매킨토시처럼 캐리지 리턴이에요.',
  alpaca: '질문이 Alpaca 형식이에요: ### Instruction:, ### Input:, ### Response:.',
  unread: (names) => `다른 열은 읽지 않아요: ${names.map((name) => `“${name}”`).join(', ')}.`,
};
