/** What the four steps know of each other. */
import type { Classification, Evaluation, Example, FineTuner, LoadProgress, Restored } from 'pocketllm';
import { announce, byId } from './dom.ts';
import type { Row } from './rows.ts';

/** Where the model came from, so that it can be had again. */
export type ModelChoice = { kind: 'built-in' } | { kind: 'hub'; id: string } | { kind: 'kept'; source: string } | { kind: 'files'; names: string[] };

/** How a text is put to the model, and what the person calls each word that may answer. */
export interface Prompting {
  template: string;
  /** The words that may answer. */
  labels: string[];
  /** What the person calls each word. */
  names: Map<string, string>;
}

/** The examples as they will be trained on; `own`: the person's, not the sample. */
export type Dataset =
  | ({ kind: 'labelled'; train: Row[]; heldOut: Row[]; own: boolean } & Prompting)
  | { kind: 'free'; data: string | Example[]; name: string; own: boolean };

export interface Comparison {
  text: string;
  before?: Classification;
  after?: Classification;
}

export interface App {
  tuner?: FineTuner;
  model: ModelChoice;
  modelName: string;
  dataset?: Dataset;
  /** Of the data, or of a record that was brought. */
  prompting?: Prompting;
  /** A record that was brought, until something else is trained. */
  restored?: Restored;
  comparisons: Comparison[];
  before?: Evaluation;
  after?: Evaluation;
  /** Steps taken since the model was loaded. */
  trained: number;
  /** Hears of loading: the model's first, and again when a GPU was lost. */
  onProgress?: (progress: LoadProgress) => void;
}

export const newApp = (): App => ({ model: { kind: 'built-in' }, modelName: '', comparisons: [], trained: 0 });

export type StepNumber = 1 | 2 | 3 | 4;
const ALL: readonly StepNumber[] = [1, 2, 3, 4];

/** The four steps down the page: one is open, those before it can be opened again. */
export class Flow {
  #frozen = false;
  readonly #onOpen = new Map<StepNumber, () => void>();

  constructor() {
    for (const step of ALL) {
      this.#head(step).addEventListener('click', () => {
        if (this.#state(step) === 'open' || this.#state(step) === 'locked' || this.#frozen) return;
        this.open(step);
      });
    }
    this.#show();
  }

  /** Calls `listener` each time the step opens. */
  onOpen(step: StepNumber, listener: () => void): void {
    this.#onOpen.set(step, listener);
  }

  /** Marks a step as done, says so in its heading, and opens the next. */
  done(step: 1 | 2 | 3, summary: string): void {
    this.summarise(step, summary);
    this.open((step + 1) as StepNumber);
  }

  summarise(step: StepNumber, summary: string): void {
    byId(`summary-${step}`, HTMLElement).textContent = summary;
  }

  /** Opens a step; what lies before it can be gone back to. */
  open(step: StepNumber): void {
    for (const other of ALL) {
      if (this.#state(other) === 'open' || (other < step && this.#state(other) === 'locked')) this.#section(other).dataset['state'] = 'done';
    }
    this.#section(step).dataset['state'] = 'open';
    document.body.dataset['step'] = String(step);
    this.#show();
    this.#onOpen.get(step)?.();
    const head = this.#head(step);
    head.focus({ preventScroll: true });
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    head.scrollIntoView({ block: 'start', behavior: still ? 'instant' : 'smooth' });
    announce(`Step ${step} of 4`);
  }

  /** Closes what follows a step whose choice has changed. */
  lockAfter(step: StepNumber): void {
    for (const later of ALL.filter((other) => other > step)) {
      this.#section(later).dataset['state'] = 'locked';
      this.summarise(later, '');
    }
    this.#show();
  }

  /** While training, the steps before it stay shut. */
  freeze(frozen: boolean): void {
    this.#frozen = frozen;
    this.#show();
  }

  #show(): void {
    for (const step of ALL) {
      const state = this.#state(step);
      byId(`body-${step}`, HTMLElement).hidden = state !== 'open';
      const head = this.#head(step);
      head.setAttribute('aria-expanded', String(state === 'open'));
      head.setAttribute('aria-disabled', String(state === 'locked' || (this.#frozen && state !== 'open')));
    }
  }

  #section = (step: StepNumber): HTMLElement => byId(`step-${step}`, HTMLElement);
  #head = (step: StepNumber): HTMLElement => byId(`head-${step}`, HTMLButtonElement);
  #state = (step: StepNumber): string => this.#section(step).dataset['state'] ?? '';
}
