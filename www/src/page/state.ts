/** The state that the four steps of the page share. */
import type { Classification, DType, Evaluation, Example, FineTuner, LoadProgress, Restored, RunSettings } from 'pocketllm';
import type { BuiltInName } from './built-in.ts';
import { announce, byId } from './dom.ts';
import type { Row } from './rows.ts';
import { t } from './text.ts';
import type { Form } from './writing.ts';

/** How the weights of a model are held: in which precision, and whether the layers stay in the browser's storage. */
export interface Held {
  readonly dtype: DType;
  readonly streamed?: boolean;
}

/** Where the model came from and how its weights are held, so that it can be loaded again. */
export type ModelChoice = Place & Held;

/** A built-in model without a name is Small BERT, which was once the only one. */
type Place = { kind: 'built-in'; name?: BuiltInName } | { kind: 'hub'; id: string } | { kind: 'kept'; source: string } | { kind: 'files'; names: string[] };

/**
 * The prompt for classification: the template, and the label words with the person's names for
 * them.
 */
export interface Prompting {
  template: string;
  /** The label words: the model's possible answers. */
  labels: string[];
  /** The person's own label for each label word. */
  names: Map<string, string>;
  /** Whether a readout answers instead: with the person's own labels, and without words and a template. */
  readout?: boolean;
  /** Whether it is measured by cross-validation: each text by a readout that has learned from others. */
  folded?: boolean;
}

/** Whether what answers was measured by cross-validation, which only a readout is. */
export const isFolded = (prompting: Prompting | undefined): boolean => prompting?.readout === true && prompting.folded === true;

/** A prompt in the form of the package's options. */
export const asked = ({ template, labels, readout }: Prompting): { template?: string; labels?: string[] } => (readout === true ? {} : { template, labels });

/**
 * The examples to train on, with the person's own labels. `own` says that they are the person's own and not the sample. With `folded`, a
 * readout also learns from the rows that are held out, and is measured by cross-validation.
 */
export type Dataset =
  | ({ kind: 'labelled'; train: Row[]; heldOut: Row[]; own: boolean; folded?: boolean } & Prompting)
  /** To write from. `openings` are proposed to compare what the model writes, and `ending` follows each question, without being shown. */
  | { kind: 'free'; data: string | Example[]; name: string; form: Form; openings: readonly string[]; own: boolean; ending?: string; settings?: Partial<RunSettings> };

/** A text with the model's result before and after training: a label, or what the model writes after the text. */
export interface Comparison {
  text: string;
  before?: Classification;
  after?: Classification;
  written?: { before?: string; after?: string };
  /** Whether it is among the examples that were learned. */
  learned?: boolean;
  /** Whether the model hardly knows its letters. */
  foreign?: boolean;
  /** Whether it seems to be in another language than the examples. */
  unlike?: boolean;
}

export interface App {
  tuner?: FineTuner;
  model: ModelChoice;
  /** The files of a model of the person's own. */
  files: readonly File[];
  modelName: string;
  dataset?: Dataset;
  /** The prompt of the data, or of an opened training record. */
  prompting?: Prompting | undefined;
  /** The id under which the last training is kept on this device, if it is. */
  training?: string | undefined;
  /** The number of steps when what was learned was last downloaded. */
  downloaded?: number;
  /** Ends the training with this id, if this tab has it open. */
  leave?: (id: string) => Promise<void>;
  /** An opened training record, until something else is trained. */
  restored?: Restored;
  /** Whether the trained or opened weights are an adapter beside the model's own. */
  adapted?: boolean;
  comparisons: Comparison[];
  before?: Evaluation;
  after?: Evaluation;
  /** Number of steps taken since the model was loaded. */
  trained: number;
  /**
   * Called with the progress of loading the model, the first time and again after a GPU was lost.
   */
  onProgress?: (progress: LoadProgress) => void;
}

/** Forgets what was learned and measured, because the model is about to have other weights. The examples stay. */
export function forgetTraining(app: App): void {
  for (const name of ['prompting', 'training', 'downloaded', 'restored', 'adapted', 'before', 'after'] as const) delete app[name];
  [app.trained, app.comparisons] = [0, []];
}

export const newApp = (): App => ({ model: { kind: 'built-in', dtype: 'f32' }, files: [], modelName: '', comparisons: [], trained: 0 });

/** What the memory of a training depends on besides the model. */
export interface Sizes {
  readonly batchSize: number;
  readonly maxLength: number;
}

export type StepNumber = 1 | 2 | 3 | 4;
const ALL: readonly StepNumber[] = [1, 2, 3, 4];

/** The four steps of the page. One is open, and the steps before it can be opened again. */
export class Flow {
  #frozen = false;
  readonly #onFreeze: ((frozen: boolean) => void)[] = [];
  readonly #onOpen = new Map<StepNumber, (() => void)[]>();

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
    this.#onOpen.set(step, [...(this.#onOpen.get(step) ?? []), listener]);
  }

  /** Calls `listener` when a training begins and when it ends. */
  onFreeze(listener: (frozen: boolean) => void): void {
    this.#onFreeze.push(listener);
  }

  /** Marks a step as done, shows `summary` in its heading, and opens the next step. */
  done(step: 1 | 2 | 3, summary: string): void {
    this.summarize(step, summary);
    this.open((step + 1) as StepNumber);
  }

  summarize(step: StepNumber, summary: string): void {
    byId(`summary-${step}`, HTMLElement).textContent = summary;
  }

  /** Opens a step. A person can go back to the steps before it. */
  open(step: StepNumber): void {
    for (const other of ALL) {
      if (this.#state(other) === 'open' || (other < step && this.#state(other) === 'locked')) this.#section(other).dataset['state'] = 'done';
    }
    this.#section(step).dataset['state'] = 'open';
    document.body.dataset['step'] = String(step);
    this.#show();
    for (const listener of this.#onOpen.get(step) ?? []) listener();
    const head = this.#head(step);
    head.focus({ preventScroll: true });
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    head.scrollIntoView({ block: 'start', behavior: still ? 'instant' : 'smooth' });
    announce(t.start.stepOf(step));
  }

  /** Locks the steps after one whose choice has changed. */
  lockAfter(step: StepNumber): void {
    for (const later of ALL.filter((other) => other > step)) {
      this.#section(later).dataset['state'] = 'locked';
      this.summarize(later, '');
    }
    this.#show();
  }

  /** During training the other steps cannot be opened. */
  freeze(frozen: boolean): void {
    this.#frozen = frozen;
    document.body.toggleAttribute('data-frozen', frozen);
    for (const listener of this.#onFreeze) listener(frozen);
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
