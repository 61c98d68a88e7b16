/** The samples of step 2. */
export const samples = {
  which: 'Which sample',
  messages: 'Messages: family, work, offers (60)',
  messagesNote: 'Sixty short messages that were written for this page, each marked <b>family</b>, <b>work</b> or <b>offer</b>.',
  junkMail: 'E-mails: real or junk (1,000)',
  junkMailNote: 'A thousand e-mails from 2002, each marked <b>real</b> or <b>junk</b>. They are shown just as people received them, so some are unpleasant.',
  replies: 'Replies in one person’s style (40)',
  repliesNote: 'Forty questions with answers in the style of one cheerful person, written for this page.',
  days: 'Answers in a fixed format (30)',
  daysNote: 'Thirty messages, each answered with its day of the week in brackets, written for this page.',
};
