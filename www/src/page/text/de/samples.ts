/** The samples of step 2. */
import type { Texts } from '../en/index.ts';

export const samples: Texts['samples'] = {
  which: 'Welche Demo',
  messages: 'Nachrichten: family, work, offer (60)',
  messagesNote: 'Sechzig kurze Nachrichten auf Englisch, für diese Seite geschrieben. Jede gehört zu <b>family</b> (Familie), <b>work</b> (Arbeit) oder <b>offer</b> (Angebot).',
  junkMail: 'E-Mails: real oder junk (1.000)',
  junkMailNote: 'Tausend E-Mails auf Englisch aus dem Jahr 2002. Jede gehört zu <b>real</b> (echt) oder <b>junk</b> (Spam). Sie stehen hier genau so, wie sie ankamen, deshalb sind manche unangenehm.',
  replies: 'Antworten im Stil einer Person (40)',
  repliesNote: 'Vierzig Fragen auf Englisch mit Antworten im Stil einer fröhlichen Person, für diese Seite geschrieben.',
  days: 'Antworten in festem Format (30)',
  daysNote: 'Dreißig Nachrichten auf Englisch, jede mit ihrem Wochentag in Klammern beantwortet, für diese Seite geschrieben.',
};
