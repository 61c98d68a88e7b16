/** Step 3: settings, and a run that is watched. */
import { PocketError, type FineTuner, type TrainOptions, type TrainStep } from 'pocketllm';
import { LossChart } from './chart.ts';
import { announce, byId, facts, onChoice, chosen } from './dom.ts';
import { bytes, count, duration, percent } from './format.ts';
import { isAbort, showProblem } from './problem.ts';
import type { App, Dataset, Flow } from './state.ts';

const SAMPLE_SENTENCES = [
  'Can we move the meeting to Thursday? I will send the notes tonight.',
  'Congratulations, you have won a free holiday! Click here to claim your prize today.',
];

interface Settings {
  steps: number;
  batchSize: number;
  learningRate: number;
  epsilon: number;
  maxLength: number;
  seed: number;
  heldOut: number;
  schedule: 'constant' | 'linear';
}

/** A training and what it is measured on. */
interface Run {
  readonly tuner: FineTuner;
  readonly dataset: Dataset;
  readonly heldOut: number;
  readonly steps: AsyncGenerator<TrainStep, void, void>;
}

export function setUpTrain(app: App, flow: Flow): void {
  const form = byId('settings', HTMLFormElement);
  const start = byId('train-start', HTMLButtonElement);
  const stop = byId('train-stop', HTMLButtonElement);
  const next = byId('train-next', HTMLButtonElement);
  const after = byId('train-after', HTMLElement);
  const live = byId('live', HTMLElement);
  const problem = byId('train-problem', HTMLElement);
  const sentences = byId('sentences', HTMLTextAreaElement);
  const resume = byId('train-resume', HTMLButtonElement);
  const chart = new LossChart(byId('plot', HTMLElement));
  let measuring: AbortController | undefined;
  let stopped = false;
  /** The run that can go on: it rests between two steps. */
  let current: Run | undefined;
  let ran: Dataset | undefined;
  let offered = '';
  let setFor: FineTuner | undefined;

  onChoice('length', () => (field('steps').value = chosen('length')));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void begin();
  });
  stop.addEventListener('click', () => {
    if (measuring === undefined) stopped = true;
    measuring?.abort();
    stop.disabled = true;
  });
  resume.addEventListener('click', () => void (current !== undefined && run(current)));
  next.addEventListener('click', () => flow.open(4));
  flow.onOpen(3, () => {
    byId('sentences-field', HTMLElement).hidden = app.dataset?.kind !== 'labelled';
    offerSentences();
    if (setFor !== app.tuner) suitModel();
    setFor = app.tuner;
    if (current?.tuner !== app.tuner || current?.dataset !== app.dataset) forget();
  });

  function field(name: string): HTMLInputElement | HTMLSelectElement {
    const found = form.elements.namedItem(name);
    if (!(found instanceof HTMLInputElement || found instanceof HTMLSelectElement)) throw new Error(`no field ${name}`);
    return found;
  }

  /** Another model or other data: what is on show belongs to neither. */
  function forget(): void {
    current = undefined;
    if (app.trained > 0 && ran === app.dataset) return;
    [live.hidden, after.hidden] = [true, true];
    start.textContent = 'Start training';
    start.classList.remove('quiet');
  }

  /** Sets what suits a model of this size; a person may change it. */
  function suitModel(): void {
    const { parameters, maxLength } = app.tuner?.info ?? { parameters: 0, maxLength: 128 };
    field('learningRate').value = parameters < 3e7 ? '2e-5' : parameters < 3e8 ? '1e-5' : '1e-6';
    field('batchSize').value = parameters < 3e7 ? '32' : '16';
    field('maxLength').value = String(Math.min(128, maxLength));
  }

  /** Something to compare from the start: the sample's own sentences, or rows kept aside. */
  function offerSentences(): void {
    if (app.dataset?.kind !== 'labelled' || (sentences.value.trim() !== '' && sentences.value !== offered)) return;
    const { heldOut, train } = app.dataset;
    const own = (heldOut.length > 0 ? heldOut : train).slice(0, 2).map(({ text }) => text.replace(/\s+/g, ' ').slice(0, 200));
    offered = (chosen('data') === 'sample' ? SAMPLE_SENTENCES : own).join('\n');
    sentences.value = offered;
  }

  /** The settings, or an error that names the first that is wrong. */
  function settings(): Settings {
    const number = (name: string, label: string, least: number, whole: boolean): number => {
      const input = field(name);
      const value = Number(input.value.trim().replace(',', '.') || NaN);
      const good = Number.isFinite(value) && value >= least && (!whole || Number.isInteger(value));
      input.setAttribute('aria-invalid', String(!good));
      if (good) return value;
      byId('advanced', HTMLDetailsElement).open = true;
      input.focus();
      throw new PocketError('invalid-argument', `${label}: expected a ${whole ? 'whole ' : ''}number, ${least} or more, found “${input.value}”`);
    };
    return {
      steps: number('steps', 'Steps', 1, true),
      batchSize: number('batchSize', 'Examples a step', 1, true),
      learningRate: number('learningRate', 'Learning rate', 0, false),
      epsilon: number('epsilon', 'Epsilon', 1e-9, false),
      maxLength: number('maxLength', 'Longest text', 8, true),
      seed: number('seed', 'Seed', 0, true),
      heldOut: number('heldOut', 'Rows to measure on', 0, true),
      schedule: field('schedule').value === 'linear' ? 'linear' : 'constant',
    };
  }

  /** Begins with the untrained model. */
  async function begin(): Promise<void> {
    const { tuner, dataset } = app;
    if (tuner === undefined || dataset === undefined) return;
    showProblem(problem);
    let given: Settings;
    try {
      given = settings();
    } catch (error) {
      showProblem(problem, error);
      return;
    }
    app.trained = 0;
    await run({ tuner, dataset, heldOut: given.heldOut, steps: train(tuner, dataset, given) });
  }

  /** Takes steps until the end or until stopped; then asks and measures again. */
  async function run(run: Run): Promise<void> {
    showProblem(problem);
    setBusy(true);
    stopped = false;
    current = run;
    ran = run.dataset;
    const from = app.trained;
    const pace = new Pace();
    try {
      while (!stopped) {
        const { done, value } = await run.steps.next();
        if (done) {
          current = undefined;
          break;
        }
        app.trained = value.step;
        chart.add(value);
        pace.add(value);
        show(value, pace);
        if (value.step === value.steps) current = undefined;
      }
      chart.draw();
      if (app.trained > from) await measure(run, 'after');
    } catch (error) {
      current = undefined;
      showProblem(problem, error);
    }
    finish();
  }

  function setBusy(busy: boolean): void {
    flow.freeze(busy);
    form.hidden = busy;
    start.hidden = busy;
    after.hidden = true;
    stop.hidden = !busy;
    stop.disabled = false;
    stop.textContent = 'Stop';
    if (!busy) return;
    live.hidden = false;
    stop.focus();
  }

  function finish(): void {
    setBusy(false);
    byId('train-left', HTMLElement).textContent = '';
    const trained = app.trained > 0;
    byId('train-bar', HTMLProgressElement).value = trained ? 1 : 0;
    status(trained ? `Trained for ${count(app.trained)} steps` : 'Stopped before the first step');
    if (!trained) return;
    start.textContent = 'Start again, untrained';
    resume.hidden = current === undefined;
    start.classList.add('quiet');
    after.hidden = false;
    next.focus();
    flow.summarise(3, `${count(app.trained)} steps, loss ${chart.mean.toFixed(2)}`);
    announce(byId('train-status', HTMLElement).textContent ?? '');
  }

  function status(text: string): void {
    byId('train-status', HTMLElement).textContent = text;
  }

  /** Asks the model about the person's sentences and measures it on the rows kept aside. */
  async function measure({ tuner, dataset, heldOut }: Omit<Run, 'steps'>, when: 'before' | 'after'): Promise<void> {
    delete app[when];
    if (dataset.kind !== 'labelled') return;
    const { template, labels } = dataset;
    byId('train-bar', HTMLProgressElement).removeAttribute('value');
    byId('train-left', HTMLElement).textContent = '';
    status(when === 'before' ? 'Asking the model before it learns' : 'Asking the model again');
    stop.textContent = 'Skip';
    stop.disabled = false;
    measuring = new AbortController();
    const { signal } = measuring;
    try {
      for (const each of app.comparisons) {
        if (signal.aborted) return;
        each[when] = await tuner.classify(each.text, { template, labels });
      }
      const rows = dataset.heldOut.slice(0, heldOut);
      if (rows.length === 0) return;
      status(`${when === 'before' ? 'First' : 'Last'} measure, on ${count(rows.length)} texts kept aside`);
      app[when] = await tuner.evaluate(rows, { template, labels, signal });
    } catch (error) {
      if (!isAbort(error)) throw error;
    } finally {
      measuring = undefined;
      stop.textContent = 'Stop';
    }
  }

  function train(tuner: FineTuner, dataset: Dataset, { heldOut, ...given }: Settings): AsyncGenerator<TrainStep, void, void> {
    status('Reading the examples');
    const what: Pick<TrainOptions, 'data' | 'dataName' | 'template' | 'labels'> =
      dataset.kind === 'labelled'
        ? { data: dataset.train, template: dataset.template, labels: dataset.labels }
        : { data: dataset.data, dataName: dataset.name };
    return tuner.train({
      ...what,
      ...given,
      onStart: async ({ steps, warnings }) => {
        byId('figure', HTMLElement).hidden = true;
        byId('train-facts', HTMLElement).replaceChildren();
        chart.start(steps);
        byId('verdict', HTMLElement).textContent = warnings.join(' ');
        const texts = sentences.value.split('\n').map((line) => line.trim()).filter((line) => line !== '');
        app.comparisons = texts.map((text) => ({ text }));
        delete app.after;
        await measure({ tuner, dataset, heldOut }, 'before');
        status('First step: the GPU gets ready');
        announce('Training has begun');
      },
    });
  }

  let shown = 0;
  function show(step: TrainStep, pace: Pace): void {
    const now = performance.now();
    const last = step.step === step.steps;
    if (now - shown < 100 && !last) return;
    shown = now;
    status(`Step ${count(step.step)} of ${count(step.steps)}`);
    byId('figure', HTMLElement).hidden = false;
    byId('train-left', HTMLElement).textContent = last ? '' : `${duration(pace.secondsLeft(step))} left`;
    byId('train-bar', HTMLProgressElement).value = pace.taken / (pace.taken + step.steps - step.step);
    byId('loss-now', HTMLOutputElement).textContent = chart.mean.toFixed(3);
    byId('verdict', HTMLElement).textContent = verdict(chart, pace.taken);
    facts(byId('train-facts', HTMLElement), [
      ['Tokens a second', count(Math.round(pace.tokensPerSecond))],
      ['Time a step', pace.stepMs < 1000 ? `${Math.round(pace.stepMs)} ms` : `${(pace.stepMs / 1000).toFixed(1)} s`],
      ['GPU memory', bytes(step.gpuBytes)],
    ]);
    const tenth = Math.max(1, Math.round(step.steps / 10));
    if (step.step % tenth === 0) announce(`${percent(step.step / step.steps)}, loss ${chart.mean.toFixed(2)}`);
  }
}

/** How fast it goes, over the last steps. */
class Pace {
  taken = 0;
  stepMs = 0;
  #tokens = 0;
  #at = performance.now();

  add({ tokens }: TrainStep): void {
    const now = performance.now();
    // The first step compiles shaders: it is forgotten as soon as there is a second.
    const keep = this.taken < 2 ? 0 : 0.9;
    this.stepMs = keep * this.stepMs + (1 - keep) * (now - this.#at);
    this.#tokens = keep * this.#tokens + (1 - keep) * tokens;
    this.#at = now;
    this.taken++;
  }

  get tokensPerSecond(): number {
    return this.#tokens / (this.stepMs / 1000);
  }

  secondsLeft({ step, steps }: TrainStep): number {
    return ((steps - step) * this.stepMs) / 1000;
  }
}

/** What the curve says, for someone who has never seen one. */
function verdict(chart: LossChart, taken: number): string {
  const { first, mean } = chart;
  if (first === undefined || taken < 60) return 'The line wobbles at first. Give it some hundred steps.';
  if (mean > first * 1.15) return 'The loss is rising: stop, and try a smaller learning rate under Advanced.';
  if (mean < first * 0.97) return 'The loss is falling: it learns.';
  return taken < 400 ? 'Nothing much yet.' : 'The loss stays where it was: more examples or a larger learning rate may help.';
}
