/** The form of step 3: what suits the model, and what a person makes of it. */
import { PocketError, type Estimator, type Method, type ModelInfo, type RunSettings, type TrainOptions } from 'pocketllm';
import { byId, chosen, el, onChoice } from './dom.ts';

export interface Settings {
  steps: number;
  batchSize: number;
  learningRate: number;
  epsilon: number;
  weightDecay: number;
  maxLength: number;
  /** In decimal: it may have 64 bits. */
  seed: string;
  heldOut: number;
  evaluateEvery: number;
  schedule: 'constant' | 'linear';
  method: Method;
  estimator: Estimator;
  background: boolean;
}

/** What the engine can do, in words. One entry is no choice, and is not shown. */
const METHODS: Record<Method, string> = { full: 'every weight' };
const ESTIMATORS: Partial<Record<Estimator, string>> = { 'two-point': 'two points' };

export class SettingsForm {
  readonly form = byId('settings', HTMLFormElement);

  constructor() {
    offer(this.#field('method'), METHODS);
    offer(this.#field('estimator'), ESTIMATORS);
    onChoice('length', () => {
      this.#field('steps').value = chosen('length');
      this.#field('evaluateEvery').value = String(Math.max(10, Math.round(Number(chosen('length')) / 10)));
    });
  }

  /** Sets what suits a model of this size; a person may change it. */
  suit({ parameters, maxLength }: ModelInfo): void {
    this.#field('learningRate').value = parameters < 3e7 ? '2e-5' : parameters < 3e8 ? '1e-5' : '1e-6';
    this.#field('batchSize').value = parameters < 3e7 ? '32' : '16';
    this.#field('maxLength').value = String(Math.min(128, maxLength));
  }

  /** Sets what a record was made with, so that its run can go on. */
  adopt(settings: RunSettings): void {
    for (const name of ['steps', 'batchSize', 'learningRate', 'epsilon', 'weightDecay', 'maxLength', 'seed', 'schedule', 'method', 'estimator'] as const) {
      const value = settings[name];
      // A 32-bit number printed in full would be another one in decimal.
      this.#field(name).value = typeof value === 'number' ? String(Number(value.toPrecision(7))) : value;
    }
  }

  /** The settings, or an error that names the first that is wrong. */
  read(): Settings {
    const number = (name: string, label: string, least: number, whole: boolean): number => {
      const input = this.#field(name);
      const value = Number(input.value.trim().replace(',', '.') || NaN);
      const good = Number.isFinite(value) && value >= least && (!whole || Number.isInteger(value));
      input.setAttribute('aria-invalid', String(!good));
      if (good) return value;
      byId('advanced', HTMLDetailsElement).open = true;
      input.focus();
      throw new PocketError('invalid-argument', `${label}: expected a ${whole ? 'whole ' : ''}number, ${least} or more, found “${input.value}”`);
    };
    number('seed', 'Seed', 0, true);
    return {
      steps: number('steps', 'Steps', 1, true),
      batchSize: number('batchSize', 'Examples a step', 1, true),
      learningRate: number('learningRate', 'Learning rate', 0, false),
      epsilon: number('epsilon', 'Epsilon', 1e-9, false),
      weightDecay: number('weightDecay', 'Weight decay', 0, false),
      maxLength: number('maxLength', 'Longest text', 8, true),
      seed: this.#field('seed').value.trim(),
      heldOut: number('heldOut', 'Rows to measure on', 0, true),
      evaluateEvery: number('evaluateEvery', 'Measure every', 0, true),
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

const byInput = (field: HTMLInputElement | HTMLSelectElement): boolean => field instanceof HTMLInputElement && field.checked;

function offer(field: HTMLInputElement | HTMLSelectElement, choices: Partial<Record<string, string>>): void {
  const all = Object.entries(choices);
  field.replaceChildren(...all.map(([value, name]) => el('option', { value }, name ?? value)));
  const label = field.closest('label');
  if (label !== null) label.hidden = all.length < 2;
}

/** The settings as the package takes them. */
export function trainOptions({ heldOut: _, background: __, seed, ...options }: Settings): Omit<TrainOptions, 'data'> {
  return { ...options, seed: BigInt(seed) };
}
