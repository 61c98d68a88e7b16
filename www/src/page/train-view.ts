/** What step 3 shows of a training run: its progress, its chart and its buttons. */
import type { Evaluation, LoadProgress, TrainStep, Warning } from 'pocketllm';
import { Attention, type Outcome } from './attention.ts';
import { LossChart } from './chart.ts';
import { announce, byId, facts } from './dom.ts';
import { count, decimals } from './format.ts';
import { LivePredictions } from './live.ts';
import { stageName } from './loading.ts';
import { type Pace, verdict } from './pace.ts';
import { showProblem } from './problem.ts';
import { t } from './text.ts';

/** Milliseconds between two steps that are shown. */
const SHOWN_EVERY_MS = 100;
/** A fit that takes longer than this is shown. Shorter ones would only make the line flicker. */
const LONG_FIT_MS = 700;

/** How a run ended. */
interface Ending {
  /** Steps that the model has been trained for. */
  trained: number;
  /** Steps of the whole run. */
  steps: number;
  /** Examples that a readout has learned from; nothing for a run of steps. */
  learned?: number | undefined;
  /** Whether steps can train this model on this data. */
  deeper: boolean;
  /** By how many steps the run could become longer. */
  longer: number;
  /** What to tell a person who is looking at something else. */
  outcome: Outcome | undefined;
}

export class TrainView {
  readonly start = byId('train-start', HTMLButtonElement);
  readonly pause = byId('train-pause', HTMLButtonElement);
  readonly stop = byId('train-stop', HTMLButtonElement);
  readonly next = byId('train-next', HTMLButtonElement);
  readonly resume = byId('train-resume', HTMLButtonElement);
  readonly longer = byId('train-longer', HTMLButtonElement);
  readonly again = byId('train-again', HTMLButtonElement);
  readonly chart = new LossChart(byId('plot', HTMLElement));
  readonly predictions = new LivePredictions();
  readonly attention = new Attention();
  readonly #form: HTMLFormElement;
  readonly #notes = byId('estimate-notes', HTMLElement);
  readonly #after = byId('train-after', HTMLElement);
  readonly #deeperNote = byId('deeper-note', HTMLElement);
  readonly #live = byId('live', HTMLElement);
  readonly #bar = byId('train-bar', HTMLProgressElement);
  readonly #left = byId('train-left', HTMLElement);
  readonly #status = byId('train-status', HTMLElement);
  #shownAt = 0;
  /** When the last example was read, or the last fit ended. */
  #readAt = 0;
  /** Whether a readout has learned from some of the examples. */
  #hasLearned = false;
  /** The last evaluation of the run. */
  #evaluation: Evaluation | undefined;

  /** `form` has the settings of a run. It is hidden while one proceeds. */
  constructor(form: HTMLFormElement) {
    this.#form = form;
  }

  /** Says what happens now, also to screen readers. */
  status(text: string): void {
    this.#show(text);
    announce(text);
  }

  /** Shows a number that changes too often to be read out. */
  #show(text: string): void {
    this.#status.textContent = text;
  }

  /** Shows an error, or removes the last one. */
  problem(error?: unknown): void {
    showProblem(byId('train-problem', HTMLElement), error);
  }

  showForm(shown: boolean): void {
    for (const part of [this.#form, this.start, this.#notes]) part.hidden = !shown;
  }

  /** Shows the form instead of what the last run has shown. */
  reopenForm(): void {
    [this.again.hidden, this.#deeperNote.hidden] = [true, true];
    this.showForm(true);
    this.start.focus({ preventScroll: true });
    this.start.scrollIntoView({ block: 'end' });
  }

  /** Removes what the last run has shown. */
  clear(): void {
    [this.#live.hidden, this.#after.hidden, this.#deeperNote.hidden] = [true, true, true];
    this.predictions.hide();
    this.showForm(true);
  }

  /** Hides the buttons that follow a run. */
  hideAfter(): void {
    this.#after.hidden = true;
  }

  setBusy(busy: boolean): void {
    this.showForm(!busy);
    this.hideAfter();
    [this.pause.hidden, this.stop.hidden] = [!busy, !busy];
    byId('while-training', HTMLElement).hidden = !busy;
    this.stop.disabled = false;
    this.stop.textContent = t.training.stop;
    this.setPaused(false);
    if (!busy) return;
    this.#live.hidden = false;
    this.pause.focus();
  }

  setPaused(paused: boolean): void {
    this.pause.textContent = paused ? t.training.continue : t.training.pause;
    this.#left.textContent = '';
  }

  /** Shows that a training of an earlier tab is being opened, with the progress. */
  restoring(status: string, { loaded, total }: Pick<LoadProgress, 'loaded' | 'total'> = { loaded: 0, total: 0 }): void {
    this.pause.hidden = true;
    this.stop.textContent = t.trainings.cancel;
    byId('figure', HTMLElement).hidden = true;
    byId('train-facts', HTMLElement).replaceChildren();
    this.#show(status);
    if (total === 0) announce(status);
    if (total > 0) this.#bar.value = loaded / total;
    else this.#bar.removeAttribute('value');
  }

  /** Shows that the model is being measured before or after training, and what it means to skip this. With `undefined`, the measurement has ended. */
  setMeasuring(when: 'before' | 'after' | undefined): void {
    const note = byId('measuring-note', HTMLElement);
    note.hidden = when === undefined;
    note.textContent = when === 'after' ? t.live.retesting : t.live.testing;
    if (when !== undefined && document.activeElement === this.pause) this.stop.focus();
    this.pause.hidden = when !== undefined;
    this.stop.textContent = when === undefined ? t.training.stop : t.live.skip;
    // Skipping a measurement disables the button, which then stops the training.
    this.stop.disabled = false;
    if (when === undefined) return;
    this.#bar.removeAttribute('value');
    this.#left.textContent = '';
  }

  /** Shows what the engine is doing: it compiles programs, reads examples, fits a readout to them, tests the model, searches for a learning rate, or restarts a GPU that was lost. */
  showProgress(progress: LoadProgress): void {
    const { stage, loaded, total } = progress;
    if (stage === 'programs' || stage === 'evaluate') {
      this.#show(stage === 'programs' ? t.live.programs(loaded, total) : t.live.evaluated(loaded, total));
      this.#bar.value = loaded / Math.max(1, total);
    } else if (stage === 'readout') {
      this.#readAt = performance.now();
      this.#bar.value = loaded / Math.max(1, total);
      if (!this.#hasLearned) this.#show(stageName(progress));
    } else if (stage === 'fit') {
      if (performance.now() - this.#readAt > LONG_FIT_MS) this.#show(`${stageName(progress)}: ${t.loading.of(count(loaded), count(total))}`);
    } else if (stage === 'search') this.#show(`${stageName(progress)}: ${t.loading.of(count(loaded), count(total))}`);
    else this.#show(stage === 'replay' ? t.trainings.recoveredRestoring(count(loaded), count(total)) : t.training.gpuLost(stageName(progress)));
  }

  /** Prepares for a run of `steps` steps, whose first losses are `losses`. */
  prepare(steps: number, losses: readonly number[]): void {
    byId('figure', HTMLElement).hidden = losses.length === 0;
    byId('train-facts', HTMLElement).replaceChildren();
    this.chart.start(steps, losses);
    this.#evaluation = undefined;
    this.#hasLearned = false;
    this.predictions.hide();
    byId('verdict', HTMLElement).textContent = '';
    this.heldOut('');
  }

  /** Shows a line about the texts that are kept aside. */
  heldOut(line: string): void {
    byId('held-now', HTMLElement).textContent = line;
  }

  showWarm(warm: boolean): void {
    byId('warm', HTMLElement).hidden = !warm;
  }

  /** Shows a step, if the last one was not shown just before. */
  showStep(step: TrainStep, pace: Pace, learningRate: number, trouble: Warning | undefined): void {
    const last = step.step === step.steps;
    this.#evaluation = step.evaluation ?? this.#evaluation;
    if (!this.#due(last)) return;
    this.#bar.value = step.step / step.steps;
    this.#show(t.training.step(step.step, step.steps));
    byId('figure', HTMLElement).hidden = false;
    const left = pace.secondsLeft(step);
    this.#left.textContent = last ? '' : left === undefined ? t.live.estimating : t.live.left(left);
    this.attention.progress(step.step / step.steps);
    byId('loss-now', HTMLElement).textContent = decimals(this.chart.mean, 3);
    byId('verdict', HTMLElement).textContent = verdict(this.chart, step, trouble, this.#evaluation);
    facts(byId('train-facts', HTMLElement), pace.facts(step, learningRate));
    const tenth = Math.max(1, Math.round(step.steps / 10));
    if (step.step % tenth === 0) announce(t.training.announced(step.step / step.steps, this.chart.mean));
  }

  /** Shows how many examples a readout has learned from. */
  showLearned(rows: number, examples: number, last: boolean): void {
    this.#readAt = performance.now();
    this.#hasLearned = true;
    if (!this.#due(last)) return;
    this.#bar.value = rows / Math.max(1, examples);
    this.attention.progress(this.#bar.value);
    this.#show(t.training.learnedOf(rows, examples));
    this.#left.textContent = '';
  }

  #due(last: boolean): boolean {
    const now = performance.now();
    if (now - this.#shownAt < SHOWN_EVERY_MS && !last) return false;
    this.#shownAt = now;
    return true;
  }

  /** Shows how a run ended and what can follow it. */
  finish({ trained, steps, learned, deeper, longer, outcome }: Ending): void {
    this.setBusy(false);
    this.#left.textContent = '';
    const quick = learned !== undefined;
    const more = !quick && trained < steps;
    this.#bar.value = more ? trained / steps : trained > 0 ? 1 : 0;
    const failed = outcome?.failed === true;
    this.status(trained === 0 ? (failed ? t.live.failed : t.live.stoppedFirst) : quick ? t.live.learned(learned) : more ? t.training.stopped(count(trained), count(steps)) : t.live.trained(trained));
    void this.attention.end(this.#status.textContent ?? '', outcome);
    if (trained === 0) {
      // The error says everything.
      this.#live.hidden = failed;
      this.start.focus({ preventScroll: true });
      return;
    }
    this.start.textContent = t.training.startOver;
    this.showForm(false);
    this.again.hidden = false;
    this.again.textContent = !quick ? t.training.again : deeper ? t.training.deeper : t.training.learnAgain;
    this.#deeperNote.hidden = !quick || !deeper;
    this.resume.hidden = !more;
    this.longer.hidden = quick || more || longer === 0;
    this.longer.textContent = t.training.longer(count(longer), longer);
    [this.#after.hidden, this.#live.hidden] = [false, false];
    this.next.focus();
  }
}
