/** Models of the hub that work here, with what each is good for and how long it takes on this device. */
import { byId, el } from './dom.ts';
import { MULTILINGUAL } from './knows.ts';
import { measureDevice } from './probe.ts';
import { t } from './text.ts';

interface Suggestion {
  readonly id: string;
  readonly good: string;
  /** The download in bytes, roughly: the exact size is looked up on the hub. */
  readonly size: number;
  /** The parameters of its layers, in millions: those that each token is multiplied by. */
  readonly layers: number;
  /** For a model that writes: the parameters of its vocabulary, in millions, by which each token is multiplied too. */
  readonly vocabulary?: number;
}

/** The small ones first. Sizes are those of the files on the hub in November 2026. */
const SUGGESTIONS: readonly Suggestion[] = [
  { id: 'sentence-transformers/all-MiniLM-L6-v2', good: t.suggestions.quickest, size: 9e7, layers: 10.6 },
  { id: 'facebook/opt-125m', good: t.suggestions.writing, size: 2.5e8, layers: 85, vocabulary: 38.6 },
  { id: 'distilbert/distilbert-base-uncased', good: t.suggestions.sorting, size: 2.7e8, layers: 42.5 },
  { id: 'HuggingFaceTB/SmolLM2-135M-Instruct', good: t.suggestions.chatting, size: 2.7e8, layers: 106, vocabulary: 28.3 },
  { id: 'FacebookAI/roberta-base', good: t.suggestions.sortingExactly, size: 5e8, layers: 85 },
  { id: 'HuggingFaceTB/SmolLM2-360M-Instruct', good: t.suggestions.chattingBetter, size: 7e8, layers: 315, vocabulary: 47.2 },
  { id: MULTILINGUAL.writes, good: t.suggestions.chattingLanguages, size: 1e9, layers: 358, vocabulary: 136 },
  { id: MULTILINGUAL.sorts, good: t.suggestions.sortingLanguages, size: 1.1e9, layers: 85 },
  { id: 'FacebookAI/roberta-large', good: t.suggestions.sortingPaper, size: 1.4e9, layers: 302 },
];

/** The model that is proposed for writing if the page has none of its own. */
export const WRITER = SUGGESTIONS.find(({ id }) => id === 'HuggingFaceTB/SmolLM2-135M-Instruct') as Suggestion;

/** Tokens of a short text. */
const TEXT = 64;
/** A first result of learning quickly reads this many texts once. */
const TEXTS = 100;
/** A first result of a model that writes takes this many steps, with this many texts in each of two passes. */
const STEPS = 100;
const BATCH = 16;
/** A first result that takes longer than this many seconds is not worth waiting for. */
const MOST = 10 * 3600;

/** How long a first result of a model takes, in words, on a device of this speed (in operations per second). */
function firstResult({ layers, vocabulary }: Pick<Suggestion, 'layers' | 'vocabulary'>, flops: number): string {
  const each = 2e6 * (layers + (vocabulary ?? 0));
  const seconds = (each * TEXT * (vocabulary === undefined ? TEXTS : STEPS * BATCH * 2)) / flops;
  if (seconds > MOST) return t.suggestions.tooSlow;
  return vocabulary === undefined ? t.suggestions.learns(seconds, TEXTS) : t.suggestions.steps(seconds, STEPS);
}

/** Shows the list. `take` gets the id of the model that the person chooses. Once the list is opened, the device is measured. */
export function showSuggestions(take: (id: string) => void): void {
  const details = byId('suggested', HTMLDetailsElement);
  const times = new Map<string, HTMLElement>();
  byId('suggestions', HTMLElement).replaceChildren(
    ...SUGGESTIONS.map(({ id, good, size }) => {
      const choose = el('button', { type: 'button', class: 'button quiet', 'aria-label': t.suggestions.lookAt(id) }, t.suggestions.look);
      choose.addEventListener('click', () => {
        details.open = false;
        take(id);
      });
      const time = el('span', { class: 'note' });
      times.set(id, time);
      return el('li', {}, el('p', {}, el('b', {}, id), el('span', {}, `${good} ${t.suggestions.download(size)}`), time), el('div', { class: 'shelf-actions' }, choose));
    }),
  );
  details.addEventListener('toggle', () => {
    if (details.open) void showTimes(times);
  });
}

async function showTimes(times: ReadonlyMap<string, HTMLElement>): Promise<void> {
  const note = byId('suggested-note', HTMLElement);
  note.textContent = t.suggestions.measuring;
  const flops = await measureDevice();
  note.textContent = flops === undefined ? t.suggestions.unmeasured : t.suggestions.estimates;
  if (flops === undefined) return;
  for (const each of SUGGESTIONS) {
    const place = times.get(each.id);
    const words = firstResult(each, flops);
    if (place !== undefined) place.textContent = words;
  }
}
