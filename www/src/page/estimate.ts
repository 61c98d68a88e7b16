/** Says before a training starts how long each choice takes on this device, and what would make it faster. */
import type { FineTuner, TrainStep } from 'pocketllm';
import { TOKENS } from './before-after.ts';
import { byId, el } from './dom.ts';
import { readoutRows } from './prompt.ts';
import { thinned } from './rows.ts';
import type { Settings, SettingsForm } from './settings.ts';
import { speed } from './speed.ts';
import type { App, Dataset } from './state.ts';
import { t } from './text.ts';
import { understood } from './writing.ts';

/** The longest training that is chosen for a person, in seconds. */
const PATIENCE = 300;
/** If a training takes this many seconds or more, the page says what would make it faster. */
const SLOW = 3600;
/** The number of texts whose tokens are counted. The others are assumed to be similar. */
const COUNTED = 2000;
/** Tokens of the sentence around a text. */
const TEMPLATE = 10;
/** The time of a step relative to its passes, because it also perturbs and updates the weights. */
const OVERHEAD = 1.15;

export class Estimates {
  readonly #app: App;
  readonly #form: SettingsForm;
  readonly #note = byId('time-note', HTMLElement);
  readonly #truncated = byId('truncated-note', HTMLElement);
  /** The numbers of tokens of some of the texts, and the data that they belong to. */
  #lengths: readonly number[] = [];
  #of: Dataset | undefined;
  /** Seconds that a token takes, as measured with this model. */
  #measured: { readonly of: FineTuner; readonly seconds: number } | undefined;
  /** The last fit of a model that learns quickly, and the seconds per text between this fit and the one before. */
  #fit: { readonly of: FineTuner; readonly rows: number; readonly ms: number; readonly seconds?: number } | undefined;
  /** Whether the person has chosen the length of the training. */
  #chosen = false;
  readonly #settings: () => { settings: Settings; quick: boolean } | undefined;
  readonly #compared: () => number;

  /** `settings` reads what is chosen now; `undefined` while something is wrong with it. `compared` counts the sentences or openings to compare. */
  constructor(app: App, form: SettingsForm, settings: () => { settings: Settings; quick: boolean } | undefined, compared: () => number) {
    [this.#app, this.#form, this.#settings, this.#compared] = [app, form, settings, compared];
    for (const kind of ['input', 'change']) {
      form.form.addEventListener(kind, ({ target }) => {
        if (target instanceof HTMLInputElement && ['length', 'steps'].includes(target.name)) this.#chosen = true;
        this.#draw();
      });
    }
    form.form.addEventListener('reset', () => (this.#chosen = false));
  }

  /** Called when the step opens. Measures the model if its weights are as loaded or it has learned quickly, and shows the times. */
  async show(): Promise<void> {
    const { tuner, dataset } = this.#app;
    this.#draw();
    if (tuner === undefined || dataset === undefined) return;
    if (this.#of !== dataset) {
      [this.#of, this.#lengths] = [dataset, await lengths(tuner, dataset)];
      this.#draw();
    }
    const isTold = this.#fit?.of === tuner && this.#fit.seconds !== undefined;
    const isMeasured = this.#app.trained === 0 || (!isTold && this.#app.prompting?.readout === true);
    if (isMeasured && !speed.has(tuner)) this.#note.replaceChildren(t.estimate.measuring);
    const seconds = (await speed.measure(this.#app)) ?? (isTold ? undefined : await speed.measureLearned(this.#app));
    if (this.#app.tuner !== tuner || this.#app.dataset !== dataset) return;
    this.#measured = seconds === undefined ? undefined : { of: tuner, seconds };
    this.#draw();
  }

  /** Called before the model learns anything. */
  end(): void {
    speed.end(this.#app.tuner);
  }

  /** Derives the speed from a model while it learns quickly, because a task of the gallery starts before the model could be measured. */
  observe(of: FineTuner, { rows, ms }: TrainStep): void {
    if (rows === undefined) return;
    // The time of the first texts includes compiling.
    const last = this.#fit?.of === of && this.#fit.rows < rows ? this.#fit : undefined;
    this.#fit = { of, rows, ms, ...(last === undefined ? {} : { seconds: (ms - last.ms) / 1000 / (rows - last.rows) }) };
  }

  /** Seconds that a token takes to pass through the model, if that is known. */
  get #seconds(): number | undefined {
    const { tuner } = this.#app;
    if (this.#measured?.of === tuner) return this.#measured?.seconds;
    if (this.#fit?.seconds === undefined || this.#fit.of !== tuner) return undefined;
    return this.#fit.seconds / this.#mean(this.#settings()?.settings.maxLength ?? 128, 2);
  }

  /** Chooses the longest training that takes at most a few minutes. */
  #choose(): void {
    const now = this.#settings();
    if (this.#chosen || this.#seconds === undefined || now === undefined || now.quick || (this.#app.dataset?.kind === 'free' && this.#app.dataset.settings !== undefined)) return;
    const inputs = [...this.#form.form.querySelectorAll<HTMLInputElement>('input[name=length]')];
    const fits = inputs.filter(({ value }) => (this.#time(now.settings, Number(value)) ?? 0) <= PATIENCE);
    const best = fits.at(-1) ?? inputs[0];
    if (best === undefined || best.checked) return;
    best.checked = true;
    // Sets the number of steps, as a tap would.
    best.dispatchEvent(new Event('change'));
  }

  #draw(): void {
    this.#choose();
    const now = this.#settings();
    const quick = this.#quickTime();
    const deep = now === undefined ? undefined : this.#time(now.settings, now.settings.steps);
    byId('quick-time', HTMLElement).textContent = quick === undefined ? t.settings.seconds : t.estimate.about(quick);
    byId('deep-time', HTMLElement).textContent = deep === undefined ? t.settings.hours : t.estimate.about(deep);
    for (const input of this.#form.form.querySelectorAll<HTMLInputElement>('input[name=length]')) {
      const place = input.parentElement?.querySelector('.time');
      const time = now === undefined ? undefined : this.#time(now.settings, Number(input.value));
      if (place !== null && place !== undefined) place.textContent = time === undefined ? '' : t.estimate.about(time);
    }
    const long = deep !== undefined && now?.quick === false && deep >= SLOW;
    this.#note.replaceChildren(...(long ? this.#advice(now.settings, deep) : []));
    const most = now?.settings.maxLength ?? 0;
    const over = this.#lengths.filter((length) => length > most).length;
    const as = this.#of?.kind === 'free' ? understood(this.#of.data).as : undefined;
    // Texts that are too long for an example become several.
    this.#truncated.hidden = over === 0 || now === undefined || as === 'text' || as === 'texts';
    if (over > 0) this.#truncated.textContent = t.estimate[as === 'answers' ? 'answersTruncated' : 'truncated'](over, this.#lengths.length, most);
  }

  #advice({ maxLength, batchSize, method, steps }: Settings, seconds: number): Node[] {
    const { dataset, tuner } = this.#app;
    const ways = [
      ...(dataset?.kind === 'labelled' ? [t.estimate.learnQuickly] : []),
      ...(steps > 100 ? [t.estimate.fewerSteps] : []),
      ...(maxLength > 64 ? [t.estimate.shorter] : []),
      ...(batchSize > 8 ? [t.estimate.smallerBatch] : []),
      ...(method === 'full' ? [t.estimate.lora] : []),
      ...(this.#app.model.streamed === true ? [t.stream.faster] : []),
      ...(tuner?.info.dtype.startsWith('q') === false ? [t.estimate.fewerBits] : []),
    ];
    return [new Text(t.estimate.slow(seconds)), el('ul', {}, ...ways.map((way) => el('li', {}, way)))];
  }

  /** Seconds of this many steps with the tests before, during and after them. */
  #time(settings: Settings, steps: number): number | undefined {
    const { dataset, tuner } = this.#app;
    if (this.#seconds === undefined || dataset === undefined) return undefined;
    const pass = this.#seconds * this.#mean(settings.maxLength, TEMPLATE);
    const tested = dataset.kind === 'labelled' ? Math.min(settings.heldOut, dataset.heldOut.length) : 0;
    const written = dataset.kind === 'free' ? TOKENS * (speed.writing(tuner) ?? 0) : 0;
    return deepSeconds({ ...settings, steps }, { pass, written, tested, compared: this.#compared() });
  }

  /** Seconds of learning quickly. */
  #quickTime(): number | undefined {
    const { dataset } = this.#app;
    if (this.#seconds === undefined || dataset?.kind !== 'labelled') return undefined;
    const { heldOut = 0, maxLength = 128 } = this.#settings()?.settings ?? {};
    // The texts that are kept aside are read while the model learns, and once more to show the ones that it gets wrong.
    const tested = dataset.folded === true ? 0 : 2 * Math.min(heldOut, dataset.heldOut.length);
    return 1 + this.#seconds * this.#mean(maxLength, 2) * (readoutRows(dataset).length + tested + this.#compared());
  }

  /** Tokens of a text on average. */
  #mean(maxLength: number, around: number): number {
    if (this.#lengths.length === 0) return maxLength;
    return this.#lengths.reduce((sum, length) => sum + Math.min(length + around, maxLength), 0) / this.#lengths.length;
  }
}

/** What the time of a training by steps depends on, besides its settings. */
interface Work {
  /** Seconds that the model takes to read a text, and to write after one. */
  readonly pass: number;
  readonly written: number;
  /** Texts that are kept aside, and those to compare. */
  readonly tested: number;
  readonly compared: number;
}

/** Seconds of a training by steps, with the tests before, during and after it. */
export function deepSeconds({ steps, batchSize, evaluateEvery, probes = 1, estimator }: Pick<Settings, 'steps' | 'batchSize' | 'evaluateEvery' | 'probes' | 'estimator'>, { pass, written, tested, compared }: Work): number {
  const branches = estimator === 'one-sided' ? 1 + Math.max(probes, 2) : 2 * probes;
  const tests = tested === 0 ? 0 : 2 + (evaluateEvery === 0 ? 0 : Math.floor(steps / evaluateEvery));
  // Before and after training, each sentence is sorted, or the model writes after each opening.
  return pass * (steps * batchSize * branches * OVERHEAD + tested * tests) + 2 * compared * (pass + written);
}

/** The number of tokens of each of some texts. One running text fills every example, so nothing is counted. */
async function lengths(tuner: FineTuner, dataset: Dataset): Promise<readonly number[]> {
  const texts = dataset.kind === 'labelled' ? thinned(readoutRows(dataset), COUNTED).map(({ text, text_b = '' }) => `${text} ${text_b}`) : written(dataset.data);
  try {
    return texts.length === 0 ? [] : await tuner.tokenLengths(texts);
  } catch {
    return [];
  }
}

function written(data: (Dataset & { kind: 'free' })['data']): string[] {
  if (typeof data === 'string') return [];
  return data.slice(0, COUNTED).map((row) => ('messages' in row ? row.messages.map(({ content }) => String(content ?? '')).join(' ') : 'prompt' in row ? row.prompt + row.completion : row.text));
}
