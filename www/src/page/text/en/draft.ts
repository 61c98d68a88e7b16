/** The draft of a person's texts. */
export const draft = {
  kept: 'Kept on this device as a draft.',
  clear: 'Clear them',
};
