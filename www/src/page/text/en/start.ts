/** The head of the page. */
export const start = {
  description: 'Teach a language model from your own texts, inside this tab. Nothing leaves your device.',
  pageTitle: 'PocketLLM: teach a language model in this tab',
  skip: 'Skip to the steps',
  title: 'Teach a language model in this tab',
  lead: 'Show it texts that you have sorted yourself. It learns to sort new ones the way you would.',
  private: 'Your texts stay on this device.',
  notSent: 'They are not sent to any server.',
  offline: 'This page now also works offline.',
};
