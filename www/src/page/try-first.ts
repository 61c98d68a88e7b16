/** A model that writes can be tried before it is trained, so that there is something to compare with. */
import { byId } from './dom.ts';
import { sampleNow, SAMPLES } from './samples.ts';
import type { App, Flow } from './state.ts';

export function setUpTryFirst(app: App, flow: Flow): void {
  const button = byId('train-try', HTMLButtonElement);
  const input = byId('chat-input', HTMLTextAreaElement);
  /** The text that was proposed last. */
  let proposed = '';

  button.addEventListener('click', () => flow.open(4));
  flow.onOpen(3, () => (button.hidden = app.dataset?.kind !== 'free'));
  flow.onOpen(4, () => {
    // Where nothing was learned, there is nothing to save.
    byId('save-view', HTMLElement).hidden = app.trained === 0 && app.restored === undefined && app.adapted !== true;
    const sample = sampleNow();
    if (app.dataset?.kind !== 'free' || sample === undefined || (input.value !== '' && input.value !== proposed)) return;
    proposed = SAMPLES[sample].sentences[0] ?? '';
    input.value = proposed;
  });
}
