/** Writing with the model. */
import type { Texts } from '../en/index.ts';

export const chat: Texts['chat'] = {
  title: 'Escribe con el modelo',
  log: 'Lo escrito hasta ahora',
  how: 'Cómo escribe',
  continue: 'Seguir mi texto',
  talk: 'Chatear',
  input: 'Tu texto',
  tokens: 'Longitud máxima (tokens)',
  temperature: 'Aleatoriedad',
  send: 'Que escriba',
  stop: 'Detener',
  clear: 'Borrar',
  lengthName: 'Longitud máxima',
  nothing: '(sin respuesta)',
  empty: 'Primero escribe algo.',
};
