/** What the model answers about the person's own sentences while it trains. */
import type { FineTuner } from 'pocketllm';
import { comparison } from './comparison.ts';
import { byId, el } from './dom.ts';
import { asked, type Comparison, type Prompting } from './state.ts';
import { t } from './text.ts';

/** Sentences that are shown. */
const SENTENCES = 3;
/** The answers take at most this share of the time. */
const SHARE = 0.1;
/** Milliseconds between two answers, so that a person can follow them. */
const LEAST_MS = 400;
const LENGTH = 90;

export class LivePredictions {
  readonly #place = byId('live-predictions', HTMLElement);
  readonly #list = el('ul', { class: 'compare' });
  #comparisons: Comparison[] = [];
  #prompting: Prompting | undefined;
  /** When the last answers were complete, and how long they took. */
  #answered = 0;
  #took = 0;

  /** Shows the sentences of a run, with what the model answered before it. */
  start(comparisons: readonly Comparison[], prompting: Prompting | undefined): void {
    this.#comparisons = comparisons.slice(0, SENTENCES).map((each) => ({ ...each }));
    this.#prompting = prompting;
    [this.#answered, this.#took] = [0, 0];
    this.#place.hidden = this.#comparisons.length === 0 || prompting === undefined;
    this.#place.replaceChildren(el('h3', {}, t.live.title), this.#list);
    this.#draw();
  }

  hide(): void {
    this.#place.hidden = true;
  }

  /** Asks about the sentences again, unless that would slow the training down. `last` asks in any case. */
  async update(tuner: FineTuner, last: boolean): Promise<void> {
    const prompting = this.#prompting;
    if (this.#place.hidden || prompting === undefined) return;
    const begun = performance.now();
    if (!last && begun - this.#answered < Math.max(LEAST_MS, this.#took / SHARE)) return;
    const prompt = asked(prompting);
    try {
      const answers = await Promise.all(this.#comparisons.map(({ text }) => tuner.classify(text, prompt)));
      this.#comparisons = this.#comparisons.map((each, at) => ({ ...each, ...(answers[at] === undefined ? {} : { after: answers[at] }) }));
      this.#draw();
    } catch {
      // An error here also happens in the next step, which reports it.
    }
    this.#answered = performance.now();
    this.#took = this.#answered - begun;
  }

  #draw(): void {
    this.#list.replaceChildren(...this.#comparisons.map((each) => comparison(each, this.#prompting, LENGTH)));
  }
}
