/** How the model learns: quickly or by steps. */
import { byId, chosen, onChoice } from './dom.ts';
import { explainHow } from './sentences.ts';
import type { App } from './state.ts';

export class HowForm {
  readonly #app: App;

  /** `changed` is called when the person chooses another way. */
  constructor(app: App, changed: () => void) {
    this.#app = app;
    onChoice('how', changed);
  }

  /** Whether the examples are learned by a readout. */
  get isQuick(): boolean {
    return this.#app.dataset?.kind === 'labelled' && (chosen('how') === 'readout' || !this.learnsDeeply);
  }

  /** Whether steps can train the model. Those for labels need a model that answers with words, which a sentence encoder does not. */
  get learnsDeeply(): boolean {
    return this.#app.dataset?.kind !== 'labelled' || this.#app.tuner?.info.labelWords !== false;
  }

  /** Shows what can be chosen, and what the choice means. */
  show(): void {
    const labelled = this.#app.dataset?.kind === 'labelled';
    const quick = this.isQuick;
    byId('how-field', HTMLElement).hidden = !labelled || !this.learnsDeeply;
    for (const id of ['length-field', 'advanced']) byId(id, HTMLElement).hidden = quick;
    explainHow(quick, this.#app.dataset);
  }
}
