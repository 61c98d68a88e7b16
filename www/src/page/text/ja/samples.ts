/** The samples of step 2. */
import type { Texts } from '../en/index.ts';

export const samples: Texts['samples'] = {
  which: '使う見本',
  messages: 'メッセージ：family、work、offer（60件）',
  messagesNote: 'このページのために書かれた短い英語のメッセージ60件です。<b>family</b>（家族）、<b>work</b>（仕事）、<b>offer</b>（お得情報）のラベルが付いています。',
  junkMail: 'メール：real、junk（1,000件）',
  junkMailNote: '2002年の英語のメール1,000件です。<b>real</b>（本物）か<b>junk</b>（迷惑メール）のラベルが付いています。実際に届いたままの内容なので、不快なものも含まれます。',
  replies: 'ある人らしい返事（40件）',
  repliesNote: 'このページのために書かれた、40件の英語の質問と、ある陽気な人らしい答えです。',
  days: '決まった形式の答え（30件）',
  daysNote: 'このページのために書かれた英語のメッセージ30件です。答えはどれも、角かっこに入れた曜日です。',
};
