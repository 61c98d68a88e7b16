/** The samples of step 2. */
import type { Texts } from '../en/index.ts';

export const samples: Texts['samples'] = {
  which: 'Elige una demo',
  messages: 'Mensajes: family, work, offer (60)',
  messagesNote: 'Sesenta mensajes cortos en inglés, escritos para esta página, cada uno con la etiqueta <b>family</b> (familia), <b>work</b> (trabajo) u <b>offer</b> (oferta).',
  junkMail: 'Correos: real o junk (1000)',
  junkMailNote: 'Mil correos en inglés de 2002, cada uno con la etiqueta <b>real</b> (auténtico) o <b>junk</b> (basura). Se muestran tal como se recibieron, así que algunos son desagradables.',
  replies: 'Respuestas al estilo de una persona (40)',
  repliesNote: 'Cuarenta preguntas en inglés con respuestas al estilo de una persona alegre, escritas para esta página.',
  days: 'Respuestas en un formato fijo (30)',
  daysNote: 'Treinta mensajes en inglés, cada uno respondido con su día de la semana entre corchetes, escritos para esta página.',
};
