/** Step 3: a training run that is shown, and saved, as it proceeds. */
import type { FineTuner, TrainStep, Warning } from 'pocketllm';
import { measure } from './before-after.ts';
import { announce, byId, chosen, onChoice } from './dom.ts';
import { evaluationLine } from './figures.ts';
import { count } from './format.ts';
import { Heat } from './heat.ts';
import { stageName } from './model.ts';
import { Pace } from './pace.ts';
import { isAbort } from './problem.ts';
import { checkPrompt, dataOptions, readoutPrompt, readoutRows } from './prompt.ts';
import { Runner, type RunState } from './runner.ts';
import { explainHow, proposed } from './sentences.ts';
import { canKeep, RUN, saveSession, sessionOf, type Session } from './session.ts';
import { SettingsForm, trainOptions, type Settings } from './settings.ts';
import { isFolded, type App, type Comparison, type Dataset, type Flow } from './state.ts';
import { TrainView } from './train-view.ts';

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
  const training = new Training(app, flow);
  return (saved, dataset, record) => training.continueSaved(saved, dataset, record);
}

class Training {
  readonly #app: App;
  readonly #flow: Flow;
  readonly #settings = new SettingsForm();
  readonly #view = new TrainView(this.#settings.form);
  readonly #sentences = byId('sentences', HTMLTextAreaElement);
  /** The run that can be continued; it is paused between two steps. */
  #current: Run | undefined;
  /** The data of the last run, and whether they were learned quickly. */
  #ran: Dataset | undefined;
  #ranQuick = false;
  /** Set while the model is measured. */
  #measuring: AbortController | undefined;
  /** Set until the first step, so that reading and the learning rate search can be stopped at once. */
  #starting: AbortController | undefined;
  /** The sentences that were proposed last. */
  #proposed = '';
  /** The model that the settings suit, and the record whose settings they have. */
  #suited: FineTuner | undefined;
  #adopted: App['restored'];
  #learningRate = 0;
  /** Number of examples of the run, and how many of them have been learned quickly. */
  #examples = 0;
  #learned = 0;
  #trouble: Warning | undefined;

  constructor(app: App, flow: Flow) {
    [this.#app, this.#flow] = [app, flow];
    const view = this.#view;
    this.#settings.form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#begin();
    });
    view.pause.addEventListener('click', () => this.#pauseOrResume());
    view.stop.addEventListener('click', () => this.#stop());
    view.resume.addEventListener('click', () => void this.#continue());
    view.again.addEventListener('click', () => this.#again());
    view.next.addEventListener('click', () => flow.open(4));
    flow.onOpen(3, () => this.#opened());
    onChoice('how', () => this.#showHow());
  }

  #pauseOrResume(): void {
    const runner = this.#current?.runner;
    if (runner?.paused === true) runner.resume();
    else runner?.pause();
  }

  #stop(): void {
    if (this.#measuring === undefined) this.#current?.runner.stop();
    this.#measuring?.abort();
    this.#starting?.abort();
    this.#view.stop.disabled = true;
  }

  #again(): void {
    // After learning quickly, the next thing is to train deeply.
    if (this.#ranQuick && this.#learnsDeeply()) this.#settings.form.querySelector<HTMLInputElement>('input[name=how][value=steps]')?.click();
    this.#view.reopenForm();
  }

  #opened(): void {
    const { tuner, dataset, restored } = this.#app;
    byId('sentences-field', HTMLElement).hidden = dataset?.kind !== 'labelled';
    this.#showHow();
    this.#proposeSentences();
    if (this.#suited !== tuner && tuner !== undefined) this.#settings.suit(tuner.info);
    this.#suited = tuner;
    const continued = restored?.settings.method === 'readout' ? undefined : restored;
    if (restored !== this.#adopted && continued !== undefined) this.#settings.adopt(continued.settings);
    this.#adopted = restored;
    if (this.#current?.tuner !== tuner || this.#current?.dataset !== dataset) this.#forget();
    if (continued !== undefined && !this.#isQuick()) this.#view.start.textContent = `Continue from step ${count(continued.step)}`;
  }

  /** Whether the examples are learned by a readout. */
  #isQuick(): boolean {
    return this.#app.dataset?.kind === 'labelled' && (chosen('how') === 'readout' || !this.#learnsDeeply());
  }

  /** Whether steps can train the model. Those for labels need a model that answers with words, which a sentence encoder does not. */
  #learnsDeeply(): boolean {
    return this.#app.dataset?.kind !== 'labelled' || this.#app.tuner?.info.labelWords !== false;
  }

  #showHow(): void {
    const quick = this.#isQuick();
    byId('how-field', HTMLElement).hidden = this.#app.dataset?.kind !== 'labelled' || !this.#learnsDeeply();
    for (const id of ['length-field', 'advanced']) byId(id, HTMLElement).hidden = quick;
    explainHow(quick);
    this.#view.start.textContent = quick ? 'Learn from my examples' : 'Start training';
  }

  /** Called when the model or the data have changed, because what is shown belongs to neither. */
  #forget(): void {
    void this.#current?.runner.end();
    this.#current = undefined;
    if (this.#app.trained > 0 && this.#ran === this.#app.dataset && this.#ran !== undefined) return;
    this.#view.clear();
    this.#showHow();
  }

  /** Fills in sentences to compare, unless the person has written some. */
  #proposeSentences(): void {
    const { dataset } = this.#app;
    const written = this.#sentences.value;
    if (dataset?.kind !== 'labelled' || (written.trim() !== '' && written !== this.#proposed)) return;
    this.#proposed = proposed(dataset, chosen('data') === 'sample').join('\n');
    this.#sentences.value = this.#proposed;
  }

  /** Starts from the untrained model, or from an opened training record. */
  async #begin(): Promise<void> {
    const app = this.#app;
    const { tuner, dataset } = app;
    if (tuner === undefined || dataset === undefined) return;
    this.#view.problem();
    let given: Settings;
    try {
      given = this.#settings.read();
      if (this.#isQuick()) given = { ...given, method: 'readout' };
      else if (dataset.kind === 'labelled') await checkPrompt(tuner, dataset);
    } catch (error) {
      this.#view.problem(error);
      return;
    }
    this.#view.hideAfter();
    await this.#current?.runner.end();
    const quick = given.method === 'readout';
    const from = quick || app.restored?.settings.method === 'readout' ? undefined : app.restored;
    if (dataset.kind === 'labelled') app.prompting = quick ? readoutPrompt(dataset) : dataset;
    const lines = dataset.kind === 'labelled' ? this.#sentences.value.split('\n').map((line) => line.trim()) : [];
    app.comparisons = lines.filter((line) => line !== '').map((text) => ({ text }));
    app.trained = from?.step ?? 0;
    delete app.before;
    delete app.after;
    delete app.restored;
    this.#trouble = undefined;
    app.adapted = given.method === 'lora' || given.method === 'prefix';
    await this.#run(await this.#open(tuner, dataset, given, from?.losses ?? [], from === undefined));
  }

  /** Prepares a run for its first step. `asks` says whether the model is measured before it. */
  async #open(tuner: FineTuner, dataset: Dataset, given: Settings, losses: readonly number[], asks: boolean): Promise<Run> {
    const quick = given.method === 'readout';
    const keeps = await canKeep();
    this.#starting = new AbortController();
    const steps = tuner.train({
      ...(quick ? { method: 'readout', seed: BigInt(given.seed), maxLength: given.maxLength } : trainOptions(given)),
      ...dataOptions(dataset, quick, given.heldOut),
      ...(keeps ? { keep: RUN } : {}),
      signal: this.#starting.signal,
      onStart: async ({ steps: last, learningRate, examples }) => {
        this.#starting = undefined;
        [this.#examples, this.#learned] = [examples, 0];
        this.#learningRate = learningRate;
        this.#view.prepare(last, losses);
        if (asks && !quick) await this.#measure({ tuner, dataset, settings: given }, 'before');
        if (asks) await saveSession(sessionOf(this.#app, dataset, given));
        this.#view.status(quick ? 'Reading the first examples' : 'Preparing the first step');
        announce('Training has started');
      },
    });
    const pace = new Pace();
    const heat = new Heat();
    const runner = new Runner(steps, given.background, {
      onStep: (step, ms) => {
        pace.add(step);
        runner.restMs = heat.add(ms, step.tokens);
        this.#view.showWarm(heat.warm);
        this.#stepTaken(step, pace, dataset);
      },
      onState: (state) => this.#stateChanged(state, pace),
    });
    return { tuner, dataset, settings: given, runner };
  }

  #stepTaken(step: TrainStep, pace: Pace, dataset: Dataset): void {
    const app = this.#app;
    app.trained = step.step;
    this.#view.chart.add(step);
    this.#trouble = step.warning ?? this.#trouble;
    if (step.evaluation !== undefined && dataset.kind === 'labelled') {
      this.#view.heldOut(evaluationLine(step.evaluation, app.prompting ?? dataset));
      // Each text has been measured already, by the fits of the cross-validation.
      if (isFolded(app.prompting)) app.after = step.evaluation;
    }
    if (step.rows === undefined) {
      this.#view.showStep(step, pace, this.#learningRate, this.#trouble);
      return;
    }
    this.#learned = step.rows;
    this.#view.showLearned(step.rows, this.#examples, step.step === step.steps);
  }

  #stateChanged(state: RunState, pace: Pace): void {
    this.#view.setPaused(this.#current?.runner.paused === true);
    if (state === 'running') pace.restart();
    else if (state === 'pausing') this.#view.status('Pausing after this step');
    else this.#view.status(state === 'paused' ? `Paused after ${count(this.#app.trained)} steps` : 'Waiting while this page is in the background');
  }

  /** Takes steps until the run ends or is stopped, then measures the model again. */
  async #run(run: Run): Promise<void> {
    const [app, view] = [this.#app, this.#view];
    view.problem();
    this.#current = run;
    [this.#ran, this.#ranQuick] = [run.dataset, run.settings.method === 'readout'];
    this.#setBusy();
    const from = app.trained;
    app.onProgress = (progress) => {
      const searching = progress.stage === 'search';
      view.status(searching ? `${stageName(progress)}: ${progress.loaded} of ${progress.total}` : `The GPU was lost and is starting again. ${stageName(progress)}`);
    };
    try {
      if (from === 0) view.status('Reading the examples');
      await run.runner.go();
      view.chart.draw();
      if (app.trained > from || app.after === undefined) await this.#measure(run, 'after');
      if (this.#ranQuick && run.runner.finished) await saveSession(sessionOf(app, run.dataset, run.settings));
    } catch (error) {
      if (!isAbort(error)) view.problem(error);
    } finally {
      this.#starting = undefined;
      delete app.onProgress;
    }
    this.#finish();
  }

  /** Continues the same run, even if an error has ended it, because its steps are recorded. */
  async #continue(): Promise<void> {
    if (this.#current === undefined) return;
    const { tuner, dataset, settings: given, runner } = this.#current;
    if (!runner.finished) {
      await this.#run(this.#current);
      return;
    }
    this.#setBusy();
    this.#view.status('Repeating the recorded steps');
    try {
      const { losses, settings: made } = await tuner.restore(await tuner.export('trajectory'));
      await this.#run(await this.#open(tuner, dataset, { ...given, learningRate: made.learningRate, epsilon: made.epsilon }, losses, false));
    } catch (error) {
      this.#view.problem(error);
      this.#finish();
    }
  }

  #setBusy(): void {
    this.#flow.freeze(true);
    this.#view.setBusy(true);
  }

  #finish(): void {
    const { trained } = this.#app;
    const quick = this.#ranQuick;
    this.#flow.freeze(false);
    const more = this.#current !== undefined && trained < this.#current.settings.steps;
    this.#view.finish({ trained, learned: quick ? this.#learned : undefined, deeper: this.#learnsDeeply(), more });
    if (trained === 0) return;
    this.#flow.summarize(3, quick ? 'Learned from your examples' : `${count(trained)} steps, error ${this.#view.chart.mean.toFixed(2)}`);
  }

  /** Classifies the person's sentences, and evaluates the model on the texts kept aside. */
  async #measure({ tuner, dataset, settings: { heldOut } }: Omit<Run, 'runner'>, when: 'before' | 'after'): Promise<void> {
    if (dataset.kind !== 'labelled') return;
    this.#view.setMeasuring(true);
    this.#measuring = new AbortController();
    try {
      await measure(this.#app, { tuner, dataset, heldOut }, when, this.#measuring.signal, (text) => this.#view.status(text));
    } finally {
      this.#measuring = undefined;
      this.#view.setMeasuring(false);
    }
  }

  /** Continues a run from another tab. */
  async continueSaved(saved: Session, dataset: Dataset, record: Blob): Promise<void> {
    const app = this.#app;
    const { settings: given, before, comparisons } = saved;
    const { tuner } = app;
    if (tuner === undefined) return;
    if (given.method === 'readout' && dataset.kind === 'labelled') {
      await this.#reopen(tuner, saved, dataset, record);
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
    this.#suited = tuner;
    this.#flow.open(3);
    await this.#run(await this.#open(tuner, dataset, same, losses, false));
  }

  /** Opens what was learned quickly in another tab. What was interrupted there is learned anew, because it takes seconds. */
  async #reopen(tuner: FineTuner, { settings: given, after, comparisons }: Session, dataset: Dataset & { kind: 'labelled' }, record: Blob): Promise<void> {
    const app = this.#app;
    app.dataset = dataset;
    app.prompting = readoutPrompt(dataset);
    app.comparisons = comparisons.map((each): Comparison => ({ ...each }));
    this.#suited = tuner;
    const restored = after === undefined ? undefined : await tuner.restore(record).catch(() => undefined);
    if (restored === undefined) {
      this.#flow.open(3);
      await this.#run(await this.#open(tuner, dataset, given, [], true));
      return;
    }
    app.trained = Math.max(1, restored.step);
    if (after !== undefined) app.after = after;
    this.#view.heldOut(after === undefined ? '' : evaluationLine(after, app.prompting));
    [this.#ran, this.#ranQuick, this.#learned] = [dataset, true, readoutRows(dataset).length];
    this.#flow.open(3);
    this.#finish();
    this.#flow.open(4);
  }
}
