/** What the four steps know of each other. */
import type { Classification, Evaluation, Example, FineTuner } from 'pocketllm';
import { announce, byId } from './dom.ts';
import type { Row } from './rows.ts';

/** The examples as they will be trained on. */
export type Dataset =
  | {
      kind: 'labelled';
      train: Row[];
      heldOut: Row[];
      template: string;
      /** The words that may answer. */
      labels: string[];
      /** What the person calls each word. */
      names: Map<string, string>;
    }
  | { kind: 'free'; data: string | Example[]; name: string };

export interface Comparison {
  text: string;
  before?: Classification;
  after?: Classification;
}

export interface App {
  tuner?: FineTuner;
  modelName: string;
  builtIn: boolean;
  dataset?: Dataset;
  comparisons: Comparison[];
  before?: Evaluation;
  after?: Evaluation;
  /** Steps taken since the model was loaded. */
  trained: number;
}

export const newApp = (): App => ({ modelName: '', builtIn: true, comparisons: [], trained: 0 });

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

  open(step: StepNumber): void {
    for (const other of ALL) {
      if (this.#state(other) === 'open') this.#section(other).dataset['state'] = 'done';
    }
    this.#section(step).dataset['state'] = 'open';
    this.#show();
    this.#onOpen.get(step)?.();
    const head = this.#head(step);
    head.focus({ preventScroll: true });
    head.scrollIntoView({ block: 'start', behavior: 'smooth' });
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
