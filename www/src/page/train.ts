/** Step 3: a training run that is shown, and saved, as it proceeds. */
import type { FineTuner, TrainStep, Warning } from 'pocketllm';
import { LossChart } from './chart.ts';
import { announce, byId, chosen, facts, onChoice } from './dom.ts';
import { evaluationLine } from './figures.ts';
import { count, duration, percent, plural } from './format.ts';
import { stageName } from './model.ts';
import { Heat } from './heat.ts';
import { Pace, verdict } from './pace.ts';
import { isAbort, showProblem } from './problem.ts';
import { checkPrompt, dataOptions, readoutPrompt, readoutRows, worded } from './prompt.ts';
import { Runner } from './runner.ts';
import { explainHow, proposed } from './sentences.ts';
import { canKeep, RUN, saveSession, sessionOf, type Session } from './session.ts';
import { SettingsForm, trainOptions, type Settings } from './settings.ts';
import { thinned } from './rows.ts';
import { asked, isFolded, type App, type Comparison, type Dataset, type Flow } from './state.ts';

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
  /** The data of the last run, and whether they were learned quickly. */
  let ran: Dataset | undefined;
  let ranQuick = false;
  let offered = '';
  let setFor: FineTuner | undefined;
  let adopted: App['restored'];
  let shown = 0;
  /** Set until the first step, so that reading and the learning rate search can be stopped at once. */
  let starting: AbortController | undefined;
  let rate = 0;
  /** Number of examples of the run, and how many of them have been learned quickly. */
  let [examples, learned] = [0, 0];
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
    byId('deeper-note', HTMLElement).hidden = true;
    // After learning quickly, the next thing is to train deeply.
    if (ranQuick && learnsDeeply()) settings.form.querySelector<HTMLInputElement>('input[name=how][value=steps]')?.click();
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
    return app.dataset?.kind === 'labelled' && (chosen('how') === 'readout' || !learnsDeeply());
  }

  /** Whether steps can train the model. Those for labels need a model that answers with words, which a sentence encoder does not. */
  function learnsDeeply(): boolean {
    return app.dataset?.kind !== 'labelled' || app.tuner?.info.labelWords !== false;
  }

  function showHow(): void {
    const quick = isQuick();
    byId('how-field', HTMLElement).hidden = app.dataset?.kind !== 'labelled' || !learnsDeeply();
    for (const id of ['length-field', 'advanced']) byId(id, HTMLElement).hidden = quick;
    explainHow(quick);
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
    [live.hidden, after.hidden, byId('deeper-note', HTMLElement).hidden] = [true, true, true];
    showHow();
    showForm(true);
  }

  /** Fills in sentences to compare, unless the person has written some. */
  function offerSentences(): void {
    if (app.dataset?.kind !== 'labelled' || (sentences.value.trim() !== '' && sentences.value !== offered)) return;
    offered = proposed(app.dataset, chosen('data') === 'sample').join('\n');
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
    after.hidden = true;
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
    const keeps = await canKeep();
    const steps = tuner.train({
      ...(quick ? { method: 'readout', seed: BigInt(given.seed), maxLength: given.maxLength } : trainOptions(given)),
      ...dataOptions(dataset, quick, given.heldOut),
      ...(keeps ? { keep: RUN } : {}),
      signal: (starting = new AbortController()).signal,
      onStart: async ({ steps: last, learningRate, examples: all }) => {
        starting = undefined;
        [examples, learned] = [all, 0];
        rate = learningRate;
        byId('figure', HTMLElement).hidden = losses.length === 0;
        byId('train-facts', HTMLElement).replaceChildren();
        chart.start(last, losses);
        for (const id of ['verdict', 'held-now']) byId(id, HTMLElement).textContent = '';
        if (asks && !quick) await measure({ tuner, dataset, settings: given }, 'before');
        if (asks) await saveSession(sessionOf(app, dataset, given));
        status(quick ? 'Reading the first examples' : 'Preparing the GPU for the first step');
        announce('Training has started');
      },
    });
    const pace = new Pace();
    const heat = new Heat();
    const runner = new Runner(steps, given.background, {
      onStep: (step, ms) => {
        app.trained = step.step;
        learned = step.rows ?? 0;
        chart.add(step);
        pace.add(step);
        runner.restMs = heat.add(ms, step.tokens);
        byId('warm', HTMLElement).hidden = !heat.warm;
        trouble = step.warning ?? trouble;
        if (step.evaluation !== undefined && dataset.kind === 'labelled') {
          byId('held-now', HTMLElement).textContent = evaluationLine(step.evaluation, app.prompting ?? dataset);
          // Each text has been measured already, by the fits of the cross-validation.
          if (isFolded(app.prompting)) app.after = step.evaluation;
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
    [ran, ranQuick] = [it.dataset, it.settings.method === 'readout'];
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
      if (ranQuick && it.runner.finished) await saveSession(sessionOf(app, it.dataset, it.settings));
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
    const quick = ranQuick;
    if (quick) status(`Learned from ${plural(learned, 'example')}`);
    byId('train-again', HTMLElement).textContent = !quick ? 'Train again from the start' : learnsDeeply() ? 'Train it deeper' : 'Learn again';
    byId('deeper-note', HTMLElement).hidden = !quick || !learnsDeeply();
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
    if (dataset.kind !== 'labelled') return;
    const folded = isFolded(app.prompting);
    if (!folded) delete app[when];
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
      if (rows.length === 0 || folded) return;
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
    facts(byId('train-facts', HTMLElement), pace.facts(step, rate));
    const tenth = Math.max(1, Math.round(step.steps / 10));
    if (step.step % tenth === 0) announce(`${percent(step.step / step.steps)}, error ${chart.mean.toFixed(2)}`);
  }

  /** Opens what was learned quickly in another tab. What was interrupted there is learned anew, because it takes seconds. */
  async function reopen(tuner: FineTuner, { settings: given, after: seen, comparisons }: Session, dataset: Dataset & { kind: 'labelled' }, record: Blob): Promise<void> {
    app.dataset = dataset;
    app.prompting = readoutPrompt(dataset);
    app.comparisons = comparisons.map((each): Comparison => ({ ...each }));
    setFor = tuner;
    const restored = seen === undefined ? undefined : await tuner.restore(record).catch(() => undefined);
    if (restored === undefined) {
      flow.open(3);
      await run(await open(tuner, dataset, given, [], true));
      return;
    }
    app.trained = Math.max(1, restored.step);
    if (seen !== undefined) app.after = seen;
    byId('held-now', HTMLElement).textContent = seen === undefined ? '' : evaluationLine(seen, app.prompting);
    [ran, ranQuick, learned] = [dataset, true, readoutRows(dataset).length];
    flow.open(3);
    live.hidden = false;
    finish();
    flow.open(4);
  }

  return async (saved, dataset, record) => {
    const { settings: given, before, comparisons } = saved;
    const { tuner } = app;
    if (tuner === undefined) return;
    if (given.method === 'readout' && dataset.kind === 'labelled') {
      await reopen(tuner, saved, dataset, record);
      return;
    }
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
