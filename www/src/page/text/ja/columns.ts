/** How the columns of a file or the lines of a text were understood. */
import type { Texts } from '../en/index.ts';

export const columns: Texts['columns'] = {
  marks: { colon: 'コロン', comma: 'カンマ', semicolon: 'セミコロン', tab: 'タブ' },
  numbered: (at) => `${at}列目`,
  before: (mark) => `${mark}の前`,
  after: (mark) => `${mark}の後`,
  named: (name) => `「${name}」の列`,
  labels: (many, names, more) => `（ラベルは${many}個：${names.map((name) => `「${name}」`).join('、')}${more ? 'など' : ''}）`,
  divided: {
    first: (mark, labels) => `各行の最初の${mark}の前がラベルです${labels}。`,
    last: (mark, labels) => `各行の最後の${mark}の後がラベルです${labels}。`,
  },
  both: (text, label, labels) => `文章は${text}、ラベルは${label}にあります${labels}。`,
  noLabel: (text) => `文章は${text}にあります。ラベルとして使う列はありません。`,
  noText: '文章として使う列はありません。',
  firstNames: '最初の行は列の名前です。',
  firstExample: '最初の行も例として使います。',
  encoding: (name) => `文字コードは${name}です。`,
  carriageReturns: '改行は、昔のMacintoshのキャリッジリターンです。',
  alpaca: '質問はAlpacaの形式（### Instruction:、### Input:、### Response:）です。',
  unread: (names) => `ほかの列は読みません：${names.map((name) => `「${name}」`).join('、')}。`,
};
