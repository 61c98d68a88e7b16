/** The start of the page: examples that run after one tap, and a person's own texts. */
import { isIncluded } from './built-in.ts';
import { byId, el } from './dom.ts';
import { language } from './language.ts';
import type { SampleName } from './samples.ts';
import { setUpSizes } from './sizes.ts';
import type { App, Flow } from './state.ts';
import { WRITER } from './suggestions.ts';
import { t } from './text.ts';

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
    if (task?.writes === true && !isIncluded('smollm2')) button.querySelector('.task-note')?.after(el('span', { class: 'task-note' }, t.tasks.needsDownload(WRITER.size)));
    if (task !== undefined) button.addEventListener('click', () => withModel(task.writes, () => void run(task.sample)));
  }
  setUpSizes(app, flow);
  byId('tasks-english', HTMLElement).hidden = language === 'en';
  if (!isIncluded('smollm2')) byId('tasks-examples', HTMLElement).textContent = t.tasks.examplesToTry;
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
