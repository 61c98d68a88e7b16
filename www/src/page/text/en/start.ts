/** The head of the page. */
export const start = {
  description: 'Teach a language model from your own texts, inside this tab. Nothing leaves your device.',
  pageTitle: 'PocketLLM: teach a language model in this tab',
  skip: 'Skip to the steps',
  title: 'Teach an AI with your own texts',
  lead: 'From a few examples, a small AI on this device learns to sort, write or answer as you do. Begin with one of ours.',
  private: 'Your texts stay on this device.',
  notSent: 'They are not sent to any server.',
  noScript: 'The training runs inside this page, so the page needs JavaScript. Please turn it on.',
  language: 'Language',
  stepOf: (step: number) => `Step ${step} of 4`,
};
