/** Says that the words for the labels cannot be used as soon as the person wants to train deeply, before the times are compared. */
import { byId, el } from './dom.ts';
import { showProblem } from './problem.ts';
import { checkWords, PromptError } from './prompt.ts';
import type { App, Flow } from './state.ts';
import { t } from './text.ts';

export class WordsCheck {
  readonly #app: App;
  readonly #flow: Flow;
  readonly #place = byId('train-problem', HTMLElement);
  /** Number of checks. Only the latest one shows something. */
  #checks = 0;

  constructor(app: App, flow: Flow) {
    [this.#app, this.#flow] = [app, flow];
  }

  /** Checks the words if the model is to be trained by steps. Otherwise removes what was found wrong with them. */
  async check(deeply: boolean): Promise<void> {
    const mine = ++this.#checks;
    const { tuner, dataset } = this.#app;
    const fault = deeply && tuner !== undefined && dataset?.kind === 'labelled' ? await checkWords(tuner, dataset).then(() => undefined, (error: unknown) => error) : undefined;
    if (mine !== this.#checks) return;
    if (fault instanceof PromptError) this.show(fault);
    else if (this.#place.querySelector('#words-change') !== null) showProblem(this.#place);
  }

  /** Shows an error of step 3. If it is about the words, a button opens their fields. */
  show(error: unknown): void {
    showProblem(this.#place, error);
    if (!(error instanceof PromptError)) return;
    const change = el('button', { type: 'button', class: 'button quiet small', id: 'words-change' }, t.prompt.change);
    change.addEventListener('click', () => {
      this.#flow.open(2);
      const view = byId('prompt-view', HTMLDetailsElement);
      view.open = true;
      view.scrollIntoView({ block: 'start' });
    });
    this.#place.querySelector('.problem')?.append(change);
  }
}
