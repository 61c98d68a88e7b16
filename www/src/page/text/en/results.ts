/** Trying what was learned. */

export const results = {
  title: 'Try it and save it',
  sentences: 'Your sentences',
  noSentences: 'There are none yet. Try one below.',
  another: 'Try another sentence',
  ask: 'Ask',
};
