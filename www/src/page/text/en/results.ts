/** Trying what was learned. */

export const results = {
  title: 'Try it and save it',
  sentences: 'Your sentences',
  another: 'Try another sentence',
  ask: 'Ask',
};
