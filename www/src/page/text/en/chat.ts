/** Writing with the model. */

export const chat = {
  title: 'Write with it',
  log: 'What was written',
  how: 'How it writes',
  continue: 'Continue my text',
  talk: 'Chat',
  input: 'Your text',
  tokens: 'Maximum length (tokens)',
  temperature: 'Randomness',
  send: 'Let it write',
  stop: 'Stop',
  clear: 'Clear',
  lengthName: 'Maximum length',
  nothing: '(no answer)',
  empty: 'Write something first.',
};
