/** The samples of step 2. */
import type { Texts } from '../en/index.ts';

export const samples: Texts['samples'] = {
  which: '샘플 선택',
  messages: '메시지: family, work, offer (60개)',
  messagesNote: '이 페이지를 위해 쓴 짧은 영어 메시지 60개예요. 메시지마다 <b>family</b>(가족), <b>work</b>(업무), <b>offer</b>(광고) 중 하나가 표시되어 있어요.',
  junkMail: '이메일: real, junk (1,000개)',
  junkMailNote: '2002년에 오간 영어 이메일 1,000개예요. 이메일마다 <b>real</b>(정상)과 <b>junk</b>(스팸) 중 하나가 표시되어 있어요. 받은 그대로 보여 주기 때문에 불쾌한 내용도 있어요.',
  replies: '한 사람의 말투로 쓴 답장 (40개)',
  repliesNote: '질문 40개에 어느 쾌활한 사람의 말투로 답한 글이에요. 이 페이지를 위해 영어로 썼어요.',
  days: '정해진 형식의 답 (30개)',
  daysNote: '메시지 30개와, 메시지에 나온 요일을 대괄호 안에 적은 답이에요. 이 페이지를 위해 영어로 썼어요.',
};
