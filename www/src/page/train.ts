/** Step 3: a training run that is shown, and saved, as it proceeds. */
import type { FineTuner, TrainStep, Warning } from 'pocketllm';
import type { Outcome } from './attention.ts';
import { lacksAfter, measure } from './before-after.ts';
import { byId } from './dom.ts';
import type { Draft } from './draft.ts';
import { Estimates } from './estimate.ts';
import { evaluationLine } from './figures.ts';
import { count } from './format.ts';
import { Heat } from './heat.ts';
import { HowForm } from './how.ts';
import { openKept } from './open-kept.ts';
import { Pace } from './pace.ts';
import { isAbort } from './problem.ts';
import { checkPrompt, dataOptions, readoutPrompt, toCompare } from './prompt.ts';
import { Runner, type Run, type RunState } from './runner.ts';
import { SentencesField } from './sentences.ts';
import { beginTraining, canKeep, discardTraining, newId, updateTraining } from './session.ts';
import { moreSteps, SettingsForm, trainOptions, type Settings } from './settings.ts';
import { forgetTraining, isFolded, type App, type Dataset, type Flow } from './state.ts';
import { isFull, offerSpace, spaceFor } from './space.ts';
import { isShort, offerAgain } from './streaming.ts';
import { onAsked } from './tabs.ts';
import { takeOver } from './take-over.ts';
import { t } from './text.ts';
import { TrainView } from './train-view.ts';
import type { Open } from './trainings.ts';
import { WordsCheck } from './words-check.ts';

export function setUpTrain(app: App, flow: Flow, draft: Draft): Open {
  const training = new Training(app, flow, draft);
  return (id, files, how) => openKept({ app, flow, training, view: training.view }, id, files, how);
}

export class Training {
  readonly #app: App;
  readonly #flow: Flow;
  readonly #draft: Draft;
  readonly #settings: SettingsForm;
  readonly view: TrainView;
  readonly #sentences: SentencesField;
  readonly #how: HowForm;
  readonly #estimates: Estimates;
  readonly #words: WordsCheck;
  /** The run that can be continued; it is paused between two steps. */
  #current: Run | undefined;
  /** The data of the last run, and whether they were learned quickly. */
  #ran: Dataset | undefined;
  #ranQuick = false;
  /** Set while the model is measured. */
  #measuring: AbortController | undefined;
  /** Set until the first step, so that reading and the learning rate search can be stopped at once. */
  #starting: AbortController | undefined;
  /** Set while a training of an earlier tab is opened. */
  #opening: AbortController | undefined;
  /** The current run until it has ended, and whether another tab has asked for it. */
  #going: Promise<void> | undefined;
  #asked = false;
  /** Set from a tap until its run starts, so that a second tap does not start another one. */
  #begins = false;
  /** The model that the settings suit, and the record whose settings they have. */
  #suited: FineTuner | undefined;
  #adopted: App['restored'];
  #learningRate = 0;
  #steps = 0;
  #state: RunState = 'running';
  /** Number of examples of the run, and how many of them have been learned quickly. */
  #examples = 0;
  #learned = 0;
  #trouble: Warning | undefined;

  constructor(app: App, flow: Flow, draft: Draft) {
    [this.#app, this.#flow, this.#draft] = [app, flow, draft];
    [this.#settings, this.#sentences, this.#words] = [new SettingsForm(draft), new SentencesField(draft), new WordsCheck(app, flow)];
    const view = (this.view = new TrainView(this.#settings.form));
    this.#estimates = new Estimates(app, this.#settings, () => this.#settings.peek(this.#how.isQuick), () => this.#sentences.lines.length);
    this.#settings.form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#begin(true);
    });
    view.pause.addEventListener('click', () => this.#current?.runner?.toggle());
    view.stop.addEventListener('click', () => this.#stop());
    view.resume.addEventListener('click', () => void this.#continue(true));
    view.longer.addEventListener('click', () => void this.#continue(true, moreSteps(this.#current?.settings)));
    view.again.addEventListener('click', () => this.#again());
    view.next.addEventListener('click', () => flow.open(4));
    flow.onOpen(3, () => this.#opened());
    this.#how = new HowForm(app, () => this.#showHow());
    onAsked((id) => this.#letGo(id));
    app.leave = async (id) => void (this.#current?.id === id && (await this.#current.runner?.end()));
  }

  #stop(): void {
    if (this.#measuring === undefined) {
      this.#current?.runner?.stop();
      this.view.status(t.training.stopping);
    }
    this.#measuring?.abort();
    this.#starting?.abort();
    this.#opening?.abort();
    this.view.stop.disabled = true;
  }

  #again(): void {
    // After learning quickly, the next choice is to train deeply.
    if (this.#ranQuick && this.#how.learnsDeeply) this.#settings.form.querySelector<HTMLInputElement>('input[name=how][value=steps]')?.click();
    this.view.reopenForm();
    void this.#estimates.show();
  }

  #opened(): void {
    if (this.#opening !== undefined) return;
    const { tuner, dataset, restored } = this.#app;
    this.#showHow();
    this.#sentences.propose(dataset);
    const suggested = this.#current?.dataset !== dataset && dataset?.kind === 'free' ? dataset.settings : undefined;
    this.#settings.suit(this.#suited === tuner ? undefined : tuner?.info, suggested, this.#app.model.streamed === true);
    this.#suited = tuner;
    const continued = restored?.settings.method === 'readout' ? undefined : restored;
    if (restored !== this.#adopted && continued !== undefined) this.#settings.adopt(continued.settings);
    this.#adopted = restored;
    if (this.#current?.tuner !== tuner || this.#current?.dataset !== dataset) this.#forget();
    void this.#estimates.show();
    if (continued !== undefined && !this.#how.isQuick) this.view.start.textContent = t.training.continueFrom(continued.step);
  }

  #showHow(): void {
    this.#how.show();
    void this.#words.check(!this.#how.isQuick);
    this.view.start.textContent = this.#how.isQuick ? t.training.learn : t.training.start;
  }

  /** Called when the model or the data have changed, because what is shown belongs to the old ones. */
  #forget(): void {
    this.view.problem();
    void this.#current?.runner?.end();
    this.#current = undefined;
    if (this.#app.trained > 0 && this.#ran === this.#app.dataset && this.#ran !== undefined) return;
    this.view.clear();
    this.#showHow();
  }

  /** Starts from the untrained model, or from an opened training record. `keeps` says whether the training is kept, where that is possible. */
  async #begin(keeps: boolean): Promise<void> {
    const app = this.#app;
    const { tuner, dataset } = app;
    if (tuner === undefined || dataset === undefined || this.#begins) return;
    this.#begins = true;
    this.view.problem();
    let given: Settings;
    let id: string | undefined;
    try {
      given = this.#settings.read();
      if (this.#how.isQuick) given = { ...given, method: 'readout' };
      else if (dataset.kind === 'labelled') await checkPrompt(tuner, dataset);
      await this.#current?.runner?.end();
      this.view.hideAfter();
      id = keeps && (await canKeep()) ? newId() : undefined;
      // In the meantime, the person can choose another model or other examples.
      if (app.tuner !== tuner || app.dataset !== dataset) return void (this.#begins = false);
    } catch (error) {
      this.#begins = false;
      this.#words.show(error);
      return;
    }
    const quick = given.method === 'readout';
    const from = quick || app.restored?.settings.method === 'readout' ? undefined : app.restored;
    forgetTraining(app);
    if (dataset.kind === 'labelled') app.prompting = quick ? readoutPrompt(dataset) : dataset;
    app.comparisons = toCompare(this.#sentences.lines, dataset, quick);
    app.trained = from?.step ?? 0;
    this.#trouble = undefined;
    app.adapted = given.method === 'lora' || given.method === 'prefix';
    await this.#run(() => this.#open({ tuner, dataset, settings: given, id }, from?.losses ?? [], from === undefined));
  }

  /** Prepares a run for its next step. `asks` says whether it is a new training, whose model is measured before the first step. */
  async #open({ tuner, dataset, settings: given, id }: Omit<Run, 'runner'>, losses: readonly number[], asks: boolean): Promise<Run> {
    const quick = given.method === 'readout';
    const pace = new Pace();
    const heat = new Heat();
    this.#starting = new AbortController();
    const steps = tuner.train({
      ...(quick ? { method: 'readout', seed: BigInt(given.seed), maxLength: given.maxLength } : trainOptions(given)),
      ...dataOptions(dataset, quick, given.heldOut),
      ...(id === undefined ? {} : { keep: id }),
      signal: this.#starting.signal,
      onStart: async ({ steps: last, learningRate, examples }) => {
        this.#starting = undefined;
        [this.#steps, this.#examples, this.#learned] = [last, examples, 0];
        this.#learningRate = learningRate;
        this.view.prepare(last, losses);
        this.view.attention.begin(given.background);
        if (asks && id !== undefined) await beginTraining(id, this.#app, dataset, given);
        if (asks && !quick) await this.#measure({ tuner, dataset, settings: given }, 'before');
        this.view.predictions.start(this.#app.comparisons, this.#app.prompting);
        if (id !== undefined) await updateTraining(id, this.#app, given);
        this.view.status(quick ? t.training.readingFirst : t.training.preparing);
        pace.restart();
      },
    });
    let drafted = asks && id !== undefined && dataset.own;
    const runner = new Runner(steps, given.background, {
      onStep: async (step, ms) => {
        // The training has the texts now. If a training fails before its first step, they stay in the draft.
        if (drafted) await this.#draft.clear();
        drafted = false;
        pace.add(step);
        runner.restMs = heat.add(ms, step.tokens);
        this.#estimates.observe(tuner, step);
        this.view.showWarm(heat.warm);
        this.#stepTaken(step, pace, dataset);
        await this.view.predictions.update(tuner, step.step === step.steps);
      },
      onState: (state) => this.#stateChanged(state, pace),
    });
    return { tuner, dataset, settings: given, id, runner };
  }

  #stepTaken(step: TrainStep, pace: Pace, dataset: Dataset): void {
    const app = this.#app;
    app.trained = step.step;
    this.view.chart.add(step);
    this.#trouble = step.warning ?? this.#trouble;
    if (step.evaluation !== undefined && dataset.kind === 'labelled') {
      this.view.heldOut(evaluationLine(step.evaluation, app.prompting ?? dataset));
      // Each text has been measured already, by the fits of the cross-validation.
      if (isFolded(app.prompting)) app.after = step.evaluation;
    }
    if (step.rows === undefined) {
      this.view.showStep(step, pace, this.#learningRate, this.#trouble);
      return;
    }
    this.#learned = step.rows;
    this.view.showLearned(step.rows, this.#examples, step.step === step.steps);
  }

  #stateChanged(state: RunState, pace: Pace): void {
    this.view.setPaused(this.#current?.runner?.paused === true);
    const was = this.#state;
    this.#state = state;
    if (state === 'running') pace.restart();
    // If the run did not stop while the page was hidden, there is nothing new to say.
    if (state === 'running' && was === 'running') return;
    this.view.status({ running: t.training.goesOn(count(this.#app.trained + 1)), pausing: t.live.pausing, paused: t.live.paused(this.#app.trained, this.#steps), hidden: t.live.hidden }[state]);
  }

  /** Takes the steps of a run until it ends or is stopped. `ready` prepares the run. */
  async #run(ready: () => Promise<Run>): Promise<void> {
    [this.#asked, this.#begins] = [false, false];
    this.#estimates.end();
    this.view.problem();
    this.#flow.freeze(true);
    this.view.setBusy(true);
    try {
      await (this.#going = this.#go(ready));
    } finally {
      this.#going = undefined;
    }
  }

  /** Takes steps until the run ends or is stopped, then measures the model again. */
  async #go(ready: () => Promise<Run>): Promise<void> {
    const [app, view] = [this.#app, this.view];
    const from = app.trained;
    let failed = false;
    let begun: string | undefined;
    this.#state = 'running';
    app.onProgress = (progress) => view.showProgress(progress);
    try {
      if (from === 0) view.status(t.training.reading);
      const run = await ready();
      const { runner, id, settings: given } = run;
      this.#current = run;
      app.training = begun = id;
      [this.#ran, this.#ranQuick] = [run.dataset, given.method === 'readout'];
      await runner?.go();
      view.chart.draw();
      if (this.#asked) {
        await runner?.end();
        return;
      }
      if (app.trained > from || lacksAfter(app, run.dataset)) await this.#measure(run, 'after');
      if (id !== undefined && (!this.#ranQuick || app.trained > 0)) await updateTraining(id, app, given);
    } catch (error) {
      failed = !isAbort(error);
      if (failed) view.problem(error);
      if (failed && app.trained === 0 && begun !== undefined && !this.#asked) await discardTraining(begun).catch(() => undefined);
      if (isFull(error)) await this.#offerSpace();
      else if (isShort(error)) void offerAgain(app, this.#flow, byId('train-problem', HTMLElement), this.#settings.peek(false)?.settings);
    } finally {
      this.#starting = undefined;
      delete app.onProgress;
      // A person who continues in another tab needs no notification.
      this.#finish(this.#asked ? undefined : { failed, ...app });
      if (this.#asked) view.status(t.trainings.taken);
    }
  }

  /** Called when another tab asks for a training. Returns whether this tab has it. The training then ends after its current step. */
  #letGo(id: string): boolean {
    const run = this.#current;
    if (run?.id !== id || run.runner === undefined) return false;
    this.#asked = true;
    run.runner.stop();
    this.#stop();
    if (this.#going === undefined) void run.runner.end().then(() => this.view.status(t.trainings.taken));
    return true;
  }

  /** Shows how the training can go on when storage is full: with more space, or without being kept. */
  async #offerSpace(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    const again = (keeps: boolean) => (): void => void (this.#app.trained > 0 ? this.#continue(keeps) : this.#begin(keeps));
    await offerSpace(byId('train-problem', HTMLElement), spaceFor(current.dataset, current.settings), again(true), { words: t.space.without, go: again(false) });
  }

  /** Continues the same run, even if an error has ended it, because its steps are recorded. It becomes longer by `more` steps. */
  async #continue(keeps: boolean, more = 0): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    const { tuner, settings: given, runner } = current;
    if (runner !== undefined && !runner.finished && !this.#asked && keeps && more === 0) {
      await this.#run(async () => current);
      return;
    }
    const id = current.id === undefined || !keeps ? undefined : await takeOver(current.id, byId('train-problem', HTMLElement));
    // After a second tap, it is already running.
    if (id === null || this.#going !== undefined) return;
    await this.#run(async () => {
      this.view.status(t.loading.replay);
      const { losses, settings: made } = await tuner.restore(await tuner.export('trajectory'));
      const same = { ...given, steps: given.steps + more, learningRate: made.learningRate, epsilon: made.epsilon };
      return this.#open({ ...current, settings: same, id }, losses, id !== undefined && id !== current.id);
    });
  }

  #finish(outcome?: Outcome): void {
    const { trained } = this.#app;
    const quick = this.#ranQuick;
    this.#flow.freeze(false);
    const steps = this.#current?.settings.steps ?? 0;
    // If the training could not begin, there are no answers.
    if (this.#app.comparisons.some(({ before, after }) => before !== undefined || after !== undefined)) this.view.predictions.start(this.#app.comparisons, this.#app.prompting);
    else this.view.predictions.hide();
    this.view.finish({ trained, steps, learned: quick ? this.#learned : undefined, deeper: this.#how.learnsDeeply, longer: moreSteps(this.#current?.settings), outcome });
    if (trained === 0) return;
    this.#flow.summarize(3, quick ? t.training.learned : t.training.summary(trained, this.view.chart.first ?? NaN, this.view.chart.mean));
  }

  /** Classifies the person's sentences, and evaluates the model on the texts kept aside; or lets it write after the openings. */
  async #measure({ tuner, dataset, settings: { heldOut } }: Omit<Run, 'runner'>, when: 'before' | 'after'): Promise<void> {
    if (dataset.kind === 'free' && this.#app.comparisons.length === 0) return;
    this.view.setMeasuring(when);
    this.#measuring = new AbortController();
    try {
      await measure(this.#app, { tuner, dataset, heldOut }, when, this.#measuring.signal, (text) => this.view.status(text));
    } finally {
      this.#measuring = undefined;
      this.view.setMeasuring(undefined);
    }
  }

  /** Makes room for a training of an earlier tab. `opening` is aborted when the person stops it, and absent when that is over. */
  async prepare(opening: AbortController | undefined): Promise<void> {
    if (opening !== undefined) {
      await this.#current?.runner?.end();
      this.#current = undefined;
    }
    this.#opening = opening;
  }

  /** Takes the next steps of a run whose losses so far are `losses`, or its first ones. */
  async take(run: Omit<Run, 'runner'>, losses: readonly number[], isNew: boolean): Promise<void> {
    [this.#suited, this.#ran] = [run.tuner, run.dataset];
    await this.#run(() => this.#open(run, losses, isNew));
  }

  /** Shows a run of an earlier tab as it ended there. Its losses so far are `losses`, and a quick one has learned from `learned` rows. */
  async show(run: Omit<Run, 'runner'>, losses: readonly number[], learned: number): Promise<void> {
    const { dataset, settings: given } = run;
    this.#current = run;
    [this.#suited, this.#ran, this.#ranQuick] = [run.tuner, dataset, given.method === 'readout'];
    this.#app.training = run.id;
    const { after, prompting } = this.#app;
    if (dataset.kind === 'labelled' && this.#ranQuick) {
      this.#learned = learned;
      this.view.heldOut(after === undefined || prompting === undefined ? '' : evaluationLine(after, prompting));
    } else {
      this.view.prepare(given.steps, losses);
      this.view.chart.draw();
      if (lacksAfter(this.#app, dataset)) await this.#measure(run, 'after');
    }
    this.#finish();
    this.#flow.open(4);
  }
}
