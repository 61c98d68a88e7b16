/** Step 4: what it learned, beside what it knew; and taking it home. */
import type { Classification } from 'pocketllm';
import { byId, download, el } from './dom.ts';
import { bytes, count, excerpt, percent } from './format.ts';
import { isAbort, showProblem } from './problem.ts';
import type { App, Comparison, Flow } from './state.ts';

export function setUpTry(app: App, flow: Flow): void {
  const problem = byId('try-problem', HTMLElement);
  const list = byId('compare', HTMLElement);
  const question = byId('ask-input', HTMLInputElement);

  flow.onOpen(4, () => {
    showProblem(problem);
    const sorts = app.dataset?.kind === 'labelled';
    byId('compare-view', HTMLElement).hidden = !sorts;
    byId('write', HTMLElement).hidden = app.tuner?.info.head !== 'causal-lm';
    byId('keep-model-note', HTMLElement).textContent =
      `A safetensors file that other programs can use, ${bytes((app.tuner?.info.parameters ?? 0) * 4)}.`;
    showAccuracy(app);
    showComparisons();
  });

  function showComparisons(): void {
    list.replaceChildren(...app.comparisons.map((each) => comparison(each, app)));
  }

  byId('ask', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(byId('ask', HTMLFormElement), async () => {
      const text = question.value.trim();
      const { tuner, dataset } = app;
      if (text === '' || tuner === undefined || dataset?.kind !== 'labelled') return;
      const { template, labels } = dataset;
      app.comparisons.push({ text, after: await tuner.classify(text, { template, labels }) });
      question.value = '';
      showComparisons();
      list.lastElementChild?.scrollIntoView({ block: 'nearest' });
    });
  });

  byId('keep-trajectory', HTMLButtonElement).addEventListener('click', (event) => {
    void attempt(event.currentTarget, async () => {
      const blob = await app.tuner?.export('trajectory');
      if (blob !== undefined) download(blob, `${fileName(app)}.pocket`);
    });
  });

  byId('keep-model', HTMLButtonElement).addEventListener('click', (event) => {
    void attempt(event.currentTarget, async () => {
      const blob = await app.tuner?.export('model');
      if (blob !== undefined) download(blob, `${fileName(app)}.safetensors`);
    });
  });

  byId('train-more', HTMLButtonElement).addEventListener('click', () => flow.open(3));
  setUpWriting(app, problem);

  /** Does it with its buttons off, and says what went wrong. */
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

function setUpWriting(app: App, problem: HTMLElement): void {
  const start = byId('write-start', HTMLButtonElement);
  const stop = byId('write-stop', HTMLButtonElement);
  const prompt = byId('write-input', HTMLTextAreaElement);
  const written = byId('written', HTMLElement);
  let controller = new AbortController();

  stop.addEventListener('click', () => controller.abort());
  byId('write', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    void write();
  });

  async function write(): Promise<void> {
    if (app.tuner === undefined || prompt.value.trim() === '') return;
    controller = new AbortController();
    showProblem(problem);
    [start.hidden, stop.hidden] = [true, false];
    written.textContent = prompt.value;
    try {
      for await (const piece of app.tuner.generate(prompt.value, { maxTokens: 64, signal: controller.signal })) {
        written.append(piece);
      }
    } catch (error) {
      if (!isAbort(error)) showProblem(problem, error);
    } finally {
      [start.hidden, stop.hidden] = [false, true];
    }
  }
}

function showAccuracy({ before, after, trained }: App): void {
  const place = byId('accuracy', HTMLElement);
  place.hidden = after?.accuracy === undefined;
  if (after?.accuracy === undefined) return;
  const was = before?.accuracy;
  place.replaceChildren(
    el('h3', {}, 'Texts it has never seen, sorted rightly'),
    el(
      'p',
      { class: 'accuracy-line' },
      ...(was === undefined ? [] : [el('span', { class: 'before' }, `${percent(was)} →`)]),
      el('span', {}, percent(after.accuracy)),
    ),
    el('div', { class: 'bar' }, ...(was === undefined ? [] : [bar(was, 'before')]), bar(after.accuracy, 'after')),
    el('p', { class: 'note' }, `Before and after ${count(trained)} steps, on ${count(after.examples)} texts kept aside.`),
  );
}

function bar(share: number, when: 'before' | 'after'): HTMLProgressElement {
  return el('progress', { class: when, value: String(share), 'aria-hidden': 'true' });
}

/** One sentence with a pair of bars for each label. */
function comparison({ text, before, after }: Comparison, app: App): HTMLLIElement {
  const share = (from: Classification | undefined, label: string): number | undefined =>
    from?.scores.find((score) => score.label === label)?.probability;
  const names = app.dataset?.kind === 'labelled' ? app.dataset.names : new Map<string, string>();
  const labels = app.dataset?.kind === 'labelled' ? app.dataset.labels : [];
  return el(
    'li',
    {},
    el('blockquote', {}, excerpt(text, 220)),
    ...labels.map((label) => {
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

function fileName({ modelName, trained }: App): string {
  const model = modelName.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
  return `${model || 'model'}-${trained}-steps`;
}
