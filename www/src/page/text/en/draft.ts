/** The draft of a person's texts. */
export const draft = {
  kept: 'Kept on this device as a draft.',
  tooLarge: (size: string, most: string) => `This file is ${size}. A draft keeps files of up to ${most}, so choose it again if this page is reloaded.`,
  clear: 'Clear them',
};
