/** Trying what was learned. */

export const results = {
  title: 'Try it and save it',
  sentences: 'Your sentences',
  noSentences: 'There are none yet. Try one below.',
  another: 'Try another sentence',
  ask: 'Ask',
  empty: 'Write a sentence first.',
  learned: 'It was trained on this text, so it is no surprise that it knows it.',
  foreign: 'This model hardly knows the letters of this text. So the answer says little, however sure it looks.',
  unlike: 'Hardly any word of this text is in the examples, and the model reads its words in pieces, as it does in a language that it has not learned. So the answer says little, however sure it looks.',
};
