/** The settings form of step 3, with the model's defaults, which a person can change. */
import { PocketError, type Estimator, type Method, type ModelInfo, type RunSettings, type TrainOptions } from 'pocketllm';
import { byId, chosen, el, onChoice } from './dom.ts';
import type { Draft, DraftSettings } from './draft.ts';
import { isFrozen } from './plan.ts';
import { t } from './text.ts';

export interface Settings {
  steps: number;
  batchSize: number;
  /** The model's default is used if this is absent. */
  learningRate?: number | 'auto';
  epsilon?: number;
  probes?: number;
  weightDecay: number;
  maxLength: number;
  /** In decimal, because it may have 64 bits. */
  seed: string;
  heldOut: number;
  evaluateEvery: number;
  schedule: 'constant' | 'linear';
  method: Method;
  estimator: Estimator;
  background: boolean;
}

/**
 * The engine's options in words. A list with one entry is not shown, because there is nothing to
 * choose.
 */
const METHODS: Partial<Record<Method, string>> = t.settings.methods;
const ESTIMATORS: Partial<Record<Estimator, string>> = t.settings.estimators;

const MOST_SEED = 2n ** 64n - 1n;

export class SettingsForm {
  readonly form = byId('settings', HTMLFormElement);
  /** What the person has entered, by the names of the fields, in that order. */
  readonly #own = new Map<string, string>();
  /** Whether these entries are from an earlier visit, and belong to the model that is loaded next. */
  #restored = false;
  #info: ModelInfo | undefined;
  #streamed = false;

  /** `draft` keeps what the person enters. */
  constructor(draft: Draft) {
    offer(this.#field('method'), METHODS);
    offer(this.#field('estimator'), ESTIMATORS);
    this.#suitDevice();
    for (const kind of ['input', 'change']) {
      this.form.addEventListener(kind, ({ target }) => {
        if (!(target instanceof HTMLInputElement || target instanceof HTMLSelectElement) || target.name === 'how') return;
        this.#note(target);
        if (target.name === 'steps') this.#showLength();
        draft.changed();
      });
    }
    draft.keep('settings', { read: () => (this.#own.size === 0 ? undefined : [...this.#own]), clear: () => this.#clear() });
    void draft.take('settings').then((own) => own !== undefined && this.#restore(own));
    onChoice('length', () => {
      this.#field('steps').value = chosen('length');
      this.#field('evaluateEvery').value = String(Math.max(10, Math.round(Number(chosen('length')) / 10)));
    });
  }

  /** Takes what was entered at an earlier visit, for the model that is loaded next. */
  #restore(own: DraftSettings): void {
    for (const [name, value] of own) this.#own.set(name, value);
    this.#restored = true;
  }

  /** Sets all defaults again. */
  #clear(): void {
    this.form.reset();
    this.#own.clear();
    this.#suitDevice();
    this.suit(this.#info, undefined);
  }

  #note(field: HTMLInputElement | HTMLSelectElement): void {
    // A length sets these.
    if (field.name === 'length') for (const name of ['steps', 'evaluateEvery']) this.#own.delete(name);
    this.#own.delete(field.name);
    this.#own.set(field.name, field.type === 'checkbox' ? String(byInput(field)) : field.value);
  }

  /** Checks the length with the entered number of steps, or none. */
  #showLength(): void {
    for (const each of this.form.querySelectorAll<HTMLInputElement>('input[name=length]')) each.checked = each.value === this.#field('steps').value.trim();
  }

  /** Enters again what the person has entered, where this model has it. */
  #reapply(): void {
    for (const [name, value] of [...this.#own]) {
      const field = name === 'length' ? this.form.querySelector<HTMLInputElement>(`input[name=length][value="${CSS.escape(value)}"]`) : this.#field(name);
      if (field === null || (field instanceof HTMLSelectElement && field.querySelector(`option[value="${CSS.escape(value)}"]:enabled`) === null)) continue;
      if (field.type === 'radio' || field.type === 'checkbox') (field as HTMLInputElement).checked = field.type === 'radio' || value === 'true';
      else field.value = value;
      field.dispatchEvent(new Event('change', { bubbles: true }));
    }
  }

  /** Sets whether to train in the background. At a desk, people do something else meanwhile. A phone stops hidden pages anyway. */
  #suitDevice(): void {
    const desk = matchMedia('(hover: hover) and (pointer: fine)').matches;
    const background = this.#field('background');
    if (background instanceof HTMLInputElement) background.checked = desk;
    byId('keep-open', HTMLElement).hidden = desk;
  }

  /**
   * Sets what suits a model that is new here, and the settings that are suggested for the examples. What the person has entered for this model
   * stays. `streamed` says whether the model's layers are streamed.
   */
  suit(info: ModelInfo | undefined, suggested: Partial<RunSettings> | undefined, streamed = this.#streamed): void {
    this.#streamed = streamed;
    if (info !== undefined) this.#suitModel(info);
    if (suggested !== undefined) this.adopt(suggested);
    if (info !== undefined || suggested !== undefined) this.#reapply();
  }

  /** Sets the defaults for a model of this size. */
  #suitModel(info: ModelInfo): void {
    const { parameters, maxLength, dtype, head } = info;
    this.#info = info;
    if (!this.#restored) this.#own.clear();
    this.#restored = false;
    for (const name of ['learningRate', 'epsilon', 'probes']) this.#field(name).value = '';
    // Neither quantized weights nor those of streamed layers can be trained themselves.
    const fixed = isFrozen(dtype, this.#streamed);
    // An adapter of a model that writes learns from few examples in a step (BENCHMARKS.md).
    this.#field('batchSize').value = fixed && head === 'causal-lm' ? '4' : parameters < 3e7 ? '32' : '16';
    this.#field('maxLength').value = String(Math.min(128, maxLength));
    const method = this.#field('method');
    for (const option of method.querySelectorAll('option')) option.disabled = fixed && option.value === 'full';
    method.value = fixed ? 'lora' : 'full';
  }

  /** Sets the settings of a training record, so that its run can be continued, or those that suit a sample. */
  adopt(settings: Partial<RunSettings>): void {
    const names = ['steps', 'batchSize', 'learningRate', 'epsilon', 'weightDecay', 'maxLength', 'seed', 'schedule', 'method', 'estimator', 'probes'] as const;
    for (const name of names) {
      const value = settings[name];
      if (value === undefined) continue;
      // A 32-bit number that is printed with all 64-bit digits would look different from what was
      // entered.
      this.#field(name).value = typeof value === 'number' ? String(Number(value.toPrecision(7))) : value;
    }
    this.#showLength();
  }

  /** The settings, without a word about what is wrong with them. */
  peek(quick: boolean): { settings: Settings; quick: boolean } | undefined {
    try {
      return { settings: this.read(true), quick };
    } catch {
      return undefined;
    }
  }

  /** Reads the settings. The error names the first setting that is wrong, which is marked unless this is to be `quiet`. */
  read(quiet = false): Settings {
    const check = (name: string, good: boolean, wrong: (found: string) => string): void => {
      const input = this.#field(name);
      if (!quiet) input.setAttribute('aria-invalid', String(!good));
      if (good) return;
      if (!quiet) {
        byId('advanced', HTMLDetailsElement).open = true;
        input.focus();
      }
      throw new PocketError('invalid-argument', wrong(input.value));
    };
    const number = (name: string, label: string, least: number, whole: boolean): number => {
      const value = Number(this.#field(name).value.trim().replace(',', '.') || NaN);
      check(name, Number.isFinite(value) && value >= least && (!whole || Number.isInteger(value)), (found) => t.settings.wrong(label, whole, least, found));
      return value;
    };
    const given = (name: string): boolean => this.#field(name).value.trim() !== '';
    const seed = this.#field('seed').value.trim();
    check('seed', isSeed(seed), (found) => t.settings.wrongSeed(String(MOST_SEED), found));
    // A training record may have brought this method.
    if (this.#streamed && this.#field('method').value === 'full') throw new PocketError('invalid-argument', t.stream.trainsAll);
    const auto = this.#field('learningRate').value.trim() === 'auto';
    return {
      steps: number('steps', t.settings.steps, 1, true),
      batchSize: number('batchSize', t.settings.batchSize, 1, true),
      ...(auto ? { learningRate: 'auto' } : given('learningRate') ? { learningRate: number('learningRate', t.settings.learningRate, 0, false) } : {}),
      ...(given('epsilon') ? { epsilon: number('epsilon', t.settings.epsilon, 1e-9, false) } : {}),
      ...(given('probes') ? { probes: number('probes', t.settings.probes, 1, true) } : {}),
      weightDecay: number('weightDecay', t.settings.weightDecay, 0, false),
      maxLength: number('maxLength', t.settings.maxLength, 8, true),
      seed,
      heldOut: number('heldOut', t.settings.heldOut, 0, true),
      evaluateEvery: number('evaluateEvery', t.settings.evaluateEvery, 0, true),
      schedule: this.#field('schedule').value === 'linear' ? 'linear' : 'constant',
      method: this.#field('method').value as Method,
      estimator: this.#field('estimator').value as Estimator,
      background: byInput(this.#field('background')),
    };
  }

  #field(name: string): HTMLInputElement | HTMLSelectElement {
    const found = this.form.elements.namedItem(name);
    if (!(found instanceof HTMLInputElement || found instanceof HTMLSelectElement)) throw new Error(`no field ${name}`);
    return found;
  }
}

/** Whether these are the decimal digits of a number of 64 bits. */
const isSeed = (text: string): boolean => /^\d{1,20}$/.test(text) && BigInt(text) <= MOST_SEED;

const byInput = (field: HTMLInputElement | HTMLSelectElement): boolean => field instanceof HTMLInputElement && field.checked;

function offer(field: HTMLInputElement | HTMLSelectElement, choices: Partial<Record<string, string>>): void {
  const all = Object.entries(choices);
  field.replaceChildren(...all.map(([value, name]) => el('option', { value }, name ?? value)));
  const label = field.closest('label');
  if (label !== null) label.hidden = all.length < 2;
}

/** The settings in the form of the package's options. */
export function trainOptions({ heldOut: _, background: __, seed, ...options }: Settings): Omit<TrainOptions, 'data'> {
  return { ...options, seed: BigInt(seed) };
}

/** The maximum number of steps by which a run that has ended can become longer. */
const MORE = 1000;
/** The engine computes what an adapter begins from on the batches of at most this many first steps (`BATCHES` in `src/train/basis.rs`). */
export const BASIS_STEPS = 4;

/**
 * By how many steps a run with these settings can become longer: 0 if its learning rate has fallen to 0. It is also 0 for an adapter's run
 * that is so short that a longer run would have begun from more batches, which the engine refuses.
 */
export function moreSteps(settings: Pick<Settings, 'method' | 'schedule' | 'steps'> | undefined): number {
  if (settings === undefined || settings.method === 'readout' || settings.schedule !== 'constant') return 0;
  return settings.method === 'lora' && settings.steps < BASIS_STEPS ? 0 : Math.min(MORE, settings.steps);
}
