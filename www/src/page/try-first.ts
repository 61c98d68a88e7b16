/** A model that writes can be tried before it is trained, so that there is something to compare with. */
import { byId } from './dom.ts';
import type { App, Dataset, Flow } from './state.ts';

export function setUpTryFirst(app: App, flow: Flow): void {
  const button = byId('train-try', HTMLButtonElement);
  const input = byId('chat-input', HTMLTextAreaElement);
  /** The text that was proposed last, and the examples for which the way to write was chosen. */
  let proposed = '';
  let chosenFor: Dataset | undefined;

  button.addEventListener('click', () => flow.open(4));
  flow.onOpen(3, () => (button.hidden = app.dataset?.kind !== 'free'));
  flow.onOpen(4, () => {
    // If nothing was learned, there is nothing to save.
    byId('save-view', HTMLElement).hidden = app.trained === 0 && app.restored === undefined && app.adapted !== true;
    const { dataset } = app;
    if (dataset?.kind !== 'free') return;
    if (dataset !== chosenFor) {
      // The model is prompted in the form that it was trained on.
      chosenFor = dataset;
      byId(dataset.form === 'joined' ? 'chat-continue' : 'chat-talk', HTMLInputElement).checked = true;
    }
    if (input.value !== '' && input.value !== proposed) return;
    proposed = dataset.openings[0] ?? '';
    input.value = proposed;
  });
}
