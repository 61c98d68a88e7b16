/** The start of the page: examples that run after one tap, and a person's own texts. */
import { byId } from './dom.ts';
import type { SampleName } from './samples.ts';
import type { App, Flow } from './state.ts';

interface Parts {
  /** Loads a model that can do the task, unless one is loaded, and then calls `then`. */
  readonly withModel: (writes: boolean, then: () => void) => void;
  /** Takes the examples of a sample in step 2, and opens step 3. Returns whether that succeeded. */
  readonly takeSample: (sample: SampleName) => Promise<boolean>;
}

/** The sample of each task of the gallery. */
const TASKS: Readonly<Record<string, { sample: SampleName; writes: boolean }>> = {
  sort: { sample: 'messages', writes: false },
  write: { sample: 'replies', writes: true },
  answer: { sample: 'days', writes: true },
};

export function setUpTasks(app: App, flow: Flow, { withModel, takeSample }: Parts): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>('[data-task]')) {
    const task = TASKS[button.dataset['task'] ?? ''];
    if (task !== undefined) button.addEventListener('click', () => withModel(task.writes, () => void run(task.sample)));
  }
  byId('own-sort', HTMLButtonElement).addEventListener('click', () => withModel(false, own));
  byId('own-write', HTMLButtonElement).addEventListener('click', () => withModel(true, own));

  async function run(sample: SampleName): Promise<void> {
    flow.summarize(1, app.modelName);
    if (await takeSample(sample)) byId('settings', HTMLFormElement).requestSubmit();
    else flow.open(2);
  }

  function own(): void {
    byId('data-own', HTMLInputElement).click();
    flow.done(1, app.modelName);
  }
}
