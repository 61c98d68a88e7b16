/** Step 3: a training run that is shown, and saved, as it proceeds. */
import type { FineTuner, TrainOptions, TrainStep, Warning } from 'pocketllm';
import { LossChart } from './chart.ts';
import { announce, byId, chosen, facts, onChoice } from './dom.ts';
import { evaluationLine } from './figures.ts';
import { bytes, count, duration, percent } from './format.ts';
import { stageName } from './model.ts';
import { Pace, verdict } from './pace.ts';
import { isAbort, showProblem } from './problem.ts';
import { checkPrompt, readoutPrompt, worded } from './prompt.ts';
import { Runner } from './runner.ts';
import { canKeep, RUN, saveSession, type Session } from './session.ts';
import { SettingsForm, trainOptions, type Settings } from './settings.ts';
import { thinned, type Row } from './rows.ts';
import { asked, type App, type Comparison, type Dataset, type Flow } from './state.ts';

const SAMPLE_SENTENCES = [
  'I think you are right about the bug, it only happens when the server is restarted. I will look at it tomorrow and send a patch to the list.',
  'Congratulations, you have won a free holiday! Click here to claim your prize today.',
];

/** A training run with its data and settings. */
interface Run {
  readonly tuner: FineTuner;
  readonly dataset: Dataset;
  readonly settings: Settings;
  readonly runner: Runner;
}

/** Continues a training from another tab. */
export type Resume = (session: Session, dataset: Dataset, record: Blob) => Promise<void>;

export function setUpTrain(app: App, flow: Flow): Resume {
  const settings = new SettingsForm();
  const start = byId('train-start', HTMLButtonElement);
  const pause = byId('train-pause', HTMLButtonElement);
  const stop = byId('train-stop', HTMLButtonElement);
  const next = byId('train-next', HTMLButtonElement);
  const after = byId('train-after', HTMLElement);
  const live = byId('live', HTMLElement);
  const problem = byId('train-problem', HTMLElement);
  const sentences = byId('sentences', HTMLTextAreaElement);
  const resume = byId('train-resume', HTMLButtonElement);
  const bar = byId('train-bar', HTMLProgressElement);
  const left = byId('train-left', HTMLElement);
  const chart = new LossChart(byId('plot', HTMLElement));
  let measuring: AbortController | undefined;
  /** The run that can be continued; it is paused between two steps. */
  let current: Run | undefined;
  let ran: Dataset | undefined;
  let offered = '';
  let setFor: FineTuner | undefined;
  let adopted: App['restored'];
  let shown = 0;
  /**
   * Set until the first step, so that reading and the learning rate search can be stopped at once.
   */
  let starting: AbortController | undefined;
  let rate = 0;
  /** Number of examples of the run. */
  let examples = 0;
  let trouble: Warning | undefined;

  settings.form.addEventListener('submit', (event) => {
    event.preventDefault();
    void begin();
  });
  pause.addEventListener('click', () => (current?.runner.paused ? current.runner.resume() : current?.runner.pause()));
  stop.addEventListener('click', () => {
    if (measuring === undefined) current?.runner.stop();
    measuring?.abort();
    starting?.abort();
    stop.disabled = true;
  });
  resume.addEventListener('click', () => void continueRun());
  byId('train-again', HTMLButtonElement).addEventListener('click', (event) => {
    if (event.currentTarget instanceof HTMLElement) event.currentTarget.hidden = true;
    // After learning quickly, the next thing is to train deeply.
    if (current?.settings.method === 'readout') byId('settings', HTMLFormElement).querySelector<HTMLInputElement>('input[name=how][value=steps]')?.click();
    showForm(true);
    start.scrollIntoView({ block: 'end' });
  });
  next.addEventListener('click', () => flow.open(4));
  flow.onOpen(3, () => {
    byId('sentences-field', HTMLElement).hidden = app.dataset?.kind !== 'labelled';
    showHow();
    offerSentences();
    if (setFor !== app.tuner && app.tuner !== undefined) settings.suit(app.tuner.info);
    setFor = app.tuner;
    if (app.restored !== adopted && app.restored !== undefined && app.restored.settings.method !== 'readout') settings.adopt(app.restored.settings);
    adopted = app.restored;
    if (current?.tuner !== app.tuner || current?.dataset !== app.dataset) forget();
    if (app.restored !== undefined && app.restored.settings.method !== 'readout' && !isQuick()) start.textContent = `Continue from step ${count(app.restored.step)}`;
  });
  onChoice('how', showHow);

  /** Whether the examples are learned by a readout. */
  function isQuick(): boolean {
    return app.dataset?.kind === 'labelled' && chosen('how') === 'readout';
  }

  function showHow(): void {
    const quick = isQuick();
    byId('how-field', HTMLElement).hidden = app.dataset?.kind !== 'labelled';
    for (const id of ['length-field', 'advanced']) byId(id, HTMLElement).hidden = quick;
    byId('sentences-note', HTMLElement).textContent = quick
      ? 'The model sorts these after learning.'
      : 'The model sorts these before and after training, so that you can see what it learned.';
    byId('how-note', HTMLElement).textContent = quick
      ? 'It reads each example once, as it understands language already, and learns to tell your labels apart.'
      : 'It changes the model itself, step by step. Start with the quick way: on short texts, this one often brings nothing more.';
    start.textContent = quick ? 'Learn from my examples' : 'Start training';
  }

  function showForm(shown: boolean): void {
    [settings.form.hidden, start.hidden] = [!shown, !shown];
  }

  /** Called when the model or the data have changed, because what is shown belongs to neither. */
  function forget(): void {
    void current?.runner.end();
    current = undefined;
    if (app.trained > 0 && ran === app.dataset && ran !== undefined) return;
    [live.hidden, after.hidden] = [true, true];
    showHow();
    showForm(true);
  }

  /** Fills in sentences to compare: fixed ones for the sample, otherwise texts kept aside. */
  function offerSentences(): void {
    if (app.dataset?.kind !== 'labelled' || (sentences.value.trim() !== '' && sentences.value !== offered)) return;
    const { heldOut, train } = app.dataset;
    // One text of each of two labels.
    const rows = heldOut.length > 0 ? heldOut : train;
    const firsts = new Map([...rows].reverse().map((row) => [row.label, row.text]));
    const own = [...firsts.values()].reverse().slice(0, 2).map((text) => text.replace(/\s+/g, ' ').slice(0, 200));
    offered = (chosen('data') === 'sample' ? SAMPLE_SENTENCES : own).join('\n');
    sentences.value = offered;
  }

  /** Starts from the untrained model, or from an opened training record. */
  async function begin(): Promise<void> {
    const { tuner, dataset } = app;
    if (tuner === undefined || dataset === undefined) return;
    showProblem(problem);
    let given: Settings;
    try {
      given = settings.read();
      if (isQuick()) given = { ...given, method: 'readout' };
      else if (dataset.kind === 'labelled') await checkPrompt(tuner, dataset);
    } catch (error) {
      showProblem(problem, error);
      return;
    }
    await current?.runner.end();
    const quick = given.method === 'readout';
    const from = quick || app.restored?.settings.method === 'readout' ? undefined : app.restored;
    if (dataset.kind === 'labelled') app.prompting = quick ? readoutPrompt(dataset) : dataset;
    const texts = dataset.kind === 'labelled' ? sentences.value.split('\n').map((line) => line.trim()).filter((line) => line !== '') : [];
    app.comparisons = texts.map((text) => ({ text }));
    app.trained = from?.step ?? 0;
    delete app.before;
    delete app.after;
    delete app.restored;
    trouble = undefined;
    app.adapted = given.method === 'lora' || given.method === 'prefix';
    await run(await open(tuner, dataset, given, from?.losses ?? [], from === undefined));
  }

  /** Prepares a run for its first step. `asks` says whether the model is measured before it. */
  async function open(tuner: FineTuner, dataset: Dataset, given: Settings, losses: readonly number[], asks: boolean): Promise<Run> {
    const quick = given.method === 'readout';
    const keeps = !quick && (await canKeep());
    const evaluation = dataset.kind === 'labelled' ? thinned(dataset.heldOut, given.heldOut) : [];
    const what: Pick<TrainOptions, 'data' | 'dataName' | 'eval' | 'evaluateEvery' | 'template' | 'labels'> =
      dataset.kind === 'labelled'
        ? quick
          ? { data: dataset.train, ...(evaluation.length > 0 ? { eval: evaluation } : {}) }
          : { data: worded(dataset.train, dataset), template: dataset.template, labels: dataset.labels, ...evaluated(worded(evaluation, dataset)) }
        : { data: dataset.data, dataName: dataset.name, evaluateEvery: 0 };
    const steps = tuner.train({
      ...(quick ? { method: 'readout', seed: BigInt(given.seed), maxLength: given.maxLength } : trainOptions(given)),
      ...what,
      ...(keeps ? { keep: RUN } : {}),
      signal: (starting = new AbortController()).signal,
      onStart: async ({ steps: last, learningRate, examples: all }) => {
        starting = undefined;
        examples = all;
        rate = learningRate;
        byId('figure', HTMLElement).hidden = losses.length === 0;
        byId('train-facts', HTMLElement).replaceChildren();
        chart.start(last, losses);
        for (const id of ['verdict', 'held-now']) byId(id, HTMLElement).textContent = '';
        if (asks && !quick) {
          await measure({ tuner, dataset, settings: given }, 'before');
          await saveSession(session(app, dataset, given));
        }
        status(quick ? 'Reading the first examples' : 'Preparing the GPU for the first step');
        announce('Training has started');
      },
    });
    const pace = new Pace();
    const runner = new Runner(steps, given.background, {
      onStep: (step) => {
        app.trained = step.step;
        chart.add(step);
        pace.add(step);
        trouble = step.warning ?? trouble;
        if (step.evaluation !== undefined && dataset.kind === 'labelled') {
          byId('held-now', HTMLElement).textContent = evaluationLine(step.evaluation, app.prompting?.names ?? dataset.names);
        }
        show(step, pace);
      },
      onState: (state) => {
        pause.textContent = current?.runner.paused === true ? 'Continue' : 'Pause';
        left.textContent = '';
        if (state === 'running') pace.restart();
        else if (state === 'pausing') status('Pausing after this step');
        else status(state === 'paused' ? `Paused after ${count(app.trained)} steps` : 'Waiting while this page is in the background');
      },
    });
    return { tuner, dataset, settings: given, runner };
  }

  /** Takes steps until the run ends or is stopped, then measures the model again. */
  async function run(it: Run): Promise<void> {
    showProblem(problem);
    current = it;
    ran = it.dataset;
    setBusy(true);
    const from = app.trained;
    app.onProgress = (progress) => {
      const searching = progress.stage === 'search';
      status(searching ? `${stageName(progress)}: ${progress.loaded} of ${progress.total}` : `The GPU was lost and is starting again. ${stageName(progress)}`);
    };
    try {
      if (from === 0) status('Reading the examples');
      await it.runner.go();
      chart.draw();
      if (app.trained > from || app.after === undefined) await measure(it, 'after');
    } catch (error) {
      if (!isAbort(error)) showProblem(problem, error);
    } finally {
      starting = undefined;
      delete app.onProgress;
    }
    finish();
  }

  /** Continues the same run, even if an error has ended it, because its steps are recorded. */
  async function continueRun(): Promise<void> {
    if (current === undefined) return;
    const { tuner, dataset, settings: given, runner } = current;
    if (!runner.finished) {
      await run(current);
      return;
    }
    setBusy(true);
    status('Repeating the recorded steps');
    try {
      const { losses, settings: made } = await tuner.restore(await tuner.export('trajectory'));
      await run(await open(tuner, dataset, { ...given, learningRate: made.learningRate, epsilon: made.epsilon }, losses, false));
    } catch (error) {
      showProblem(problem, error);
      finish();
    }
  }

  function setBusy(busy: boolean): void {
    flow.freeze(busy);
    showForm(!busy);
    after.hidden = true;
    [pause.hidden, stop.hidden] = [!busy, !busy];
    stop.disabled = false;
    stop.textContent = 'Stop';
    pause.textContent = 'Pause';
    if (!busy) return;
    live.hidden = false;
    pause.focus();
  }

  function finish(): void {
    setBusy(false);
    left.textContent = '';
    const trained = app.trained > 0;
    bar.value = trained ? 1 : 0;
    status(trained ? `Trained for ${count(app.trained)} steps` : 'Stopped before the first step');
    if (!trained) return;
    start.textContent = 'Start over with the untrained model';
    showForm(false);
    byId('train-again', HTMLElement).hidden = false;
    const quick = current?.settings.method === 'readout';
    if (quick) status('Learned from all examples');
    byId('train-again', HTMLElement).textContent = quick ? 'Train it deeper' : 'Train again from the start';
    resume.hidden = quick || current === undefined || app.trained >= current.settings.steps;
    after.hidden = false;
    next.focus();
    flow.summarize(3, quick ? 'Learned from your examples' : `${count(app.trained)} steps, error ${chart.mean.toFixed(2)}`);
    announce(byId('train-status', HTMLElement).textContent ?? '');
  }

  function status(text: string): void {
    byId('train-status', HTMLElement).textContent = text;
  }

  /** Classifies the person's sentences, and evaluates the model on the texts kept aside. */
  async function measure({ tuner, dataset, settings: { heldOut } }: Omit<Run, 'runner'>, when: 'before' | 'after'): Promise<void> {
    delete app[when];
    if (dataset.kind !== 'labelled') return;
    const prompt = asked(app.prompting ?? dataset);
    bar.removeAttribute('value');
    left.textContent = '';
    status(when === 'before' ? 'Testing the model before training' : 'Testing the model after training');
    pause.hidden = true;
    stop.textContent = 'Skip';
    stop.disabled = false;
    measuring = new AbortController();
    const { signal } = measuring;
    try {
      for (const each of app.comparisons) {
        if (signal.aborted) return;
        each[when] = await tuner.classify(each.text, prompt);
      }
      const kept = thinned(dataset.heldOut, heldOut);
      const rows = app.prompting?.readout === true ? kept : worded(kept, dataset);
      if (rows.length === 0) return;
      status(`Measuring ${when} training, on ${count(rows.length)} texts kept aside`);
      app[when] = await tuner.evaluate(rows, { ...prompt, wrong: when === 'after', signal });
    } catch (error) {
      if (!isAbort(error)) throw error;
    } finally {
      measuring = undefined;
      stop.textContent = 'Stop';
      pause.hidden = false;
    }
  }

  function show(step: TrainStep, pace: Pace): void {
    const now = performance.now();
    const last = step.step === step.steps;
    if (now - shown < 100 && !last) return;
    shown = now;
    bar.value = step.step / step.steps;
    if (step.rows !== undefined) {
      bar.value = step.rows / Math.max(1, examples);
      status(`Learned from ${count(step.rows)} of ${count(examples)} examples`);
      left.textContent = '';
      return;
    }
    status(`Step ${count(step.step)} of ${count(step.steps)}`);
    byId('figure', HTMLElement).hidden = false;
    left.textContent = last ? '' : `${duration(pace.secondsLeft(step))} left`;
    byId('loss-now', HTMLOutputElement).textContent = chart.mean.toFixed(3);
    byId('verdict', HTMLElement).textContent = verdict(chart, step.step, trouble);
    facts(byId('train-facts', HTMLElement), [
      ['Tokens per second', count(Math.round(pace.tokensPerSecond))],
      ['Time per step', pace.stepMs < 1000 ? `${Math.round(pace.stepMs)} ms` : `${(pace.stepMs / 1000).toFixed(1)} s`],
      ['GPU memory', bytes(step.gpuBytes)],
      ['Learning rate', rate.toExponential(0)],
    ]);
    const tenth = Math.max(1, Math.round(step.steps / 10));
    if (step.step % tenth === 0) announce(`${percent(step.step / step.steps)}, error ${chart.mean.toFixed(2)}`);
  }

  return async ({ settings: given, before, comparisons }, dataset, record) => {
    const { tuner } = app;
    if (tuner === undefined) return;
    const { losses, step, settings: made } = await tuner.restore(record);
    // The record contains the learning rate and epsilon that the run used, whether found by search
    // or preset.
    const same = { ...given, learningRate: made.learningRate, epsilon: made.epsilon };
    app.adapted = made.method === 'lora' || made.method === 'prefix';
    app.dataset = dataset;
    if (dataset.kind === 'labelled') app.prompting = dataset;
    app.trained = step;
    app.comparisons = comparisons.map((each): Comparison => ({ ...each }));
    if (before !== undefined) app.before = before;
    setFor = tuner;
    flow.open(3);
    await run(await open(tuner, dataset, same, losses, false));
  };
}

/**
 * Evaluation options. Without rows kept aside nothing is evaluated: rows that were trained on would
 * tell nothing.
 */
const evaluated = (rows: Row[]): Pick<TrainOptions, 'eval' | 'evaluateEvery'> => (rows.length > 0 ? { eval: rows } : { evaluateEvery: 0 });

/** What another tab needs to continue the run. */
function session({ model, modelName, before, comparisons }: App, dataset: Dataset, settings: Settings): Session {
  const saved = dataset.kind === 'labelled' ? { ...dataset, names: [...dataset.names] } : dataset;
  const asked = comparisons.map(({ text, before: was }) => ({ text, ...(was === undefined ? {} : { before: was }) }));
  return { version: 1, model, modelName, dataset: saved, settings, ...(before === undefined ? {} : { before }), comparisons: asked };
}
