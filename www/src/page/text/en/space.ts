/** What to do when storage is full, or when there is none. */
export const space = {
  needs: (needed: string) => `It needs about ${needed}.`,
  needsAndFree: (needed: string, free: string) => `It needs about ${needed}, and ${free} is free.`,
  modelFull: 'The browser has no space left for this model',
  models: 'Models that you could delete:',
  delete: 'Delete',
  deleteModel: (name: string) => `Delete ${name}`,
  again: 'Try again',
  without: 'Train without saving it',
  nothingStored: 'This browser stores nothing for this page. When you close the tab, what was learned is lost, unless you download it.',
};
