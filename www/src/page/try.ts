/** Step 4: compares the model before and after training, and lets the person try it and save it. */
import { setUpChat } from './chat.ts';
import { markForeign } from './before-after.ts';
import { answers, comparison } from './comparison.ts';
import { announce, byId } from './dom.ts';
import { percent } from './format.ts';
import { showFigures } from './figures.ts';
import { setUpKeeping } from './keep.ts';
import { forgetLink, setUpSending } from './send-link.ts';
import { showProblem } from './problem.ts';
import { toCompare } from './prompt.ts';
import { ListSorter } from './sort-list.ts';
import { asked, type App, type Flow } from './state.ts';
import { t } from './text.ts';

/** Characters of a sentence that are shown. */
const LENGTH = 220;

export function setUpTry(app: App, flow: Flow): void {
  const problem = byId('try-problem', HTMLElement);
  const list = byId('compare', HTMLElement);
  const question = byId('ask-input', HTMLInputElement);
  const note = byId('ask-note', HTMLElement);

  const sorter = new ListSorter(app);
  const chatOpened = setUpChat(app, problem);

  flow.onOpen(4, () => {
    showProblem(problem);
    note.hidden = true;
    sorter.opened();
    chatOpened();
    byId('compare-view', HTMLElement).hidden = app.prompting === undefined;
    byId('keep-adapter-item', HTMLElement).hidden = app.adapted !== true;
    byId('chat', HTMLElement).hidden = app.tuner?.info.head !== 'causal-lm';
    // The model's own weights are unchanged beside an adapter.
    byId('keep-model-item', HTMLElement).hidden = app.adapted === true;
    byId('keep-model-note', HTMLElement).textContent = modelNote(app);
    forgetLink();
    showFigures(app);
    showComparisons();
  });

  function showComparisons(): void {
    const written = app.comparisons.filter((each) => each.written !== undefined);
    byId('written', HTMLElement).hidden = written.length === 0;
    byId('written-list', HTMLElement).replaceChildren(...written.map((each) => answers(each, LENGTH)));
    byId('compare-none', HTMLElement).hidden = app.comparisons.length > 0;
    list.replaceChildren(...(app.prompting === undefined ? [] : app.comparisons.map((each) => comparison(each, app.prompting, LENGTH))));
  }

  byId('ask', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    const text = question.value.trim();
    note.hidden = text !== '';
    if (text === '') {
      announce(note.textContent ?? '');
      question.focus();
      return;
    }
    void attempt(byId('ask', HTMLFormElement), async () => {
      const { tuner, prompting } = app;
      if (tuner === undefined || prompting === undefined) return;
      const after = await tuner.classify(text, asked(prompting));
      const made = toCompare([text], app.dataset, prompting.readout === true).map((each) => ({ ...each, after }));
      await markForeign(tuner, made, app.dataset);
      app.comparisons.push(...made);
      announce(`${prompting.names.get(after.label) ?? after.label}: ${percent(after.scores[0]?.probability ?? 0)}`);
      question.value = '';
      showComparisons();
      list.lastElementChild?.scrollIntoView({ block: 'nearest' });
    });
  });

  setUpKeeping(app, attempt);
  setUpSending(app, attempt);
  byId('train-more', HTMLButtonElement).addEventListener('click', () => flow.open(app.dataset === undefined ? 2 : 3));

  /** Does the work with the buttons in `place` disabled, and shows what went wrong. */
  async function attempt(place: EventTarget | null, work: () => Promise<void>): Promise<void> {
    const buttons =
      place instanceof HTMLButtonElement ? [place] : place instanceof HTMLElement ? [...place.querySelectorAll('button')] : [];
    for (const button of buttons) button.disabled = true;
    showProblem(problem);
    try {
      await work();
    } catch (error) {
      showProblem(problem, error);
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  }
}

/** What is in the file of the whole model, and which programs open it. */
function modelNote({ tuner, prompting }: App): string {
  const { parameters, dtype } = tuner?.info ?? { parameters: 0, dtype: 'f32' };
  const size = parameters * (dtype === 'f16' ? 2 : 4);
  // The page does not read a readout from such an archive, only from a training record.
  return prompting?.readout === true ? t.keep.modelNote(size, t.keep.twoLibraries) : `${t.keep.modelNote(size, 'transformers')} ${t.keep.opensHere}`;
}
