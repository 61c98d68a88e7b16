/** Step 4: compares the model before and after training, and lets the person try it and save it. */
import type { Classification } from 'pocketllm';
import { setUpChat } from './chat.ts';
import { byId, el } from './dom.ts';
import { showFigures } from './figures.ts';
import { bytes, excerpt, percent } from './format.ts';
import { setUpKeeping } from './keep.ts';
import { showProblem } from './problem.ts';
import { ListSorter } from './sort-list.ts';
import { asked, type App, type Comparison, type Flow } from './state.ts';

/** With more labels than this, only the likeliest are shown beside a sentence. */
const SHOWN = 5;

export function setUpTry(app: App, flow: Flow): void {
  const problem = byId('try-problem', HTMLElement);
  const list = byId('compare', HTMLElement);
  const question = byId('ask-input', HTMLInputElement);

  const sorter = new ListSorter(app);

  flow.onOpen(4, () => {
    showProblem(problem);
    sorter.opened();
    byId('compare-view', HTMLElement).hidden = app.prompting === undefined;
    byId('keep-adapter-item', HTMLElement).hidden = app.adapted !== true;
    byId('chat', HTMLElement).hidden = app.tuner?.info.head !== 'causal-lm';
    // The model's own weights are unchanged beside an adapter.
    byId('keep-model-item', HTMLElement).hidden = app.adapted === true;
    byId('keep-model-note', HTMLElement).textContent = modelNote(app);
    showFigures(app);
    showComparisons();
  });

  function showComparisons(): void {
    list.replaceChildren(...app.comparisons.map((each) => comparison(each, app)));
  }

  byId('ask', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(byId('ask', HTMLFormElement), async () => {
      const text = question.value.trim();
      const { tuner, prompting } = app;
      if (text === '' || tuner === undefined || prompting === undefined) return;
      app.comparisons.push({ text, after: await tuner.classify(text, asked(prompting)) });
      question.value = '';
      showComparisons();
      list.lastElementChild?.scrollIntoView({ block: 'nearest' });
    });
  });

  setUpKeeping(app, attempt);
  byId('train-more', HTMLButtonElement).addEventListener('click', () => flow.open(app.dataset === undefined ? 2 : 3));
  setUpChat(app, problem);

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
  const size = bytes(parameters * (dtype === 'f16' ? 2 : 4));
  const opens = prompting?.readout === true ? 'transformers or sentence-transformers' : 'transformers';
  return `A zip file with all files of the model, about ${size}. Once it is unpacked, the Python library ${opens} opens its folder.`;
}

function bar(share: number, when: 'before' | 'after'): HTMLProgressElement {
  return el('progress', { class: when, value: String(share), 'aria-hidden': 'true' });
}

/** The labels to show, in their order: all of them, or the likeliest of many. */
function likeliest(labels: readonly string[], scores: Classification | undefined): readonly string[] {
  if (labels.length <= SHOWN || scores === undefined) return labels;
  const first = new Set(scores.scores.slice(0, SHOWN).map(({ label }) => label));
  return labels.filter((label) => first.has(label));
}

/** One sentence with a pair of bars for each label. */
function comparison({ text, before, after }: Comparison, app: App): HTMLLIElement {
  const share = (from: Classification | undefined, label: string): number | undefined =>
    from?.scores.find((score) => score.label === label)?.probability;
  const { names, labels } = app.prompting ?? { names: new Map<string, string>(), labels: [] };
  return el(
    'li',
    {},
    el('blockquote', {}, excerpt(text, 220)),
    // An opened record of what was learned quickly does not list its labels, but each answer has them all.
    ...likeliest(labels.length > 0 ? labels : (after?.scores ?? []).map(({ label }) => label).sort(), after ?? before).map((label) => {
      const was = share(before, label);
      const is = share(after, label);
      const figures = el('span', { class: 'score-figures' });
      if (was !== undefined) figures.append(el('span', { class: 'before' }, `${percent(was)}${is === undefined ? '' : ' → '}`));
      if (is !== undefined) figures.append(percent(is));
      return el(
        'div',
        { class: label === after?.label ? 'score top' : 'score' },
        el('span', {}, names.get(label) ?? label),
        el(
          'div',
          { class: 'bar' },
          ...(was === undefined ? [] : [bar(was, 'before')]),
          ...(is === undefined ? [] : [bar(is, 'after')]),
        ),
        figures,
      );
    }),
  );
}
