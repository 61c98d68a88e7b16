/** Models of the hub that work here, with what each is good for. */
import { byId, el } from './dom.ts';

interface Suggestion {
  readonly id: string;
  readonly good: string;
  /** The download, in words: the exact size is looked up on the hub. */
  readonly size: string;
}

/** The small ones first. Sizes are those of the files on the hub in November 2026. */
export const SUGGESTIONS: readonly Suggestion[] = [
  { id: 'sentence-transformers/all-MiniLM-L6-v2', good: 'Sorting short English texts. The quickest.', size: '0.09 GB' },
  { id: 'facebook/opt-125m', good: 'Writing English. Quick to try.', size: '0.25 GB' },
  { id: 'distilbert/distilbert-base-uncased', good: 'Sorting English texts.', size: '0.27 GB' },
  { id: 'HuggingFaceTB/SmolLM2-135M-Instruct', good: 'Chatting and answering in English.', size: '0.27 GB' },
  { id: 'FacebookAI/roberta-base', good: 'Sorting English texts, more exactly.', size: '0.5 GB' },
  { id: 'HuggingFaceTB/SmolLM2-360M-Instruct', good: 'Chatting and answering in English, better.', size: '0.7 GB' },
  { id: 'Qwen/Qwen2.5-0.5B-Instruct', good: 'Chatting and answering in many languages.', size: '1.0 GB' },
  { id: 'FacebookAI/xlm-roberta-base', good: 'Sorting texts in a hundred languages.', size: '1.1 GB' },
  { id: 'FacebookAI/roberta-large', good: 'Sorting English texts as in the paper on MeZO. For computers.', size: '1.4 GB' },
];

/** Shows the list. `take` gets the id of the model that the person chooses. */
export function showSuggestions(take: (id: string) => void): void {
  byId('suggestions', HTMLElement).replaceChildren(
    ...SUGGESTIONS.map(({ id, good, size }) => {
      const choose = el('button', { type: 'button', class: 'button quiet', 'aria-label': `Look at ${id}` }, 'Look');
      choose.addEventListener('click', () => {
        byId('suggested', HTMLDetailsElement).open = false;
        take(id);
      });
      return el('li', {}, el('p', {}, el('b', {}, id), el('span', {}, `${good} ${size}`)), el('div', { class: 'shelf-actions' }, choose));
    }),
  );
}
