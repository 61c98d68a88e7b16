/** Sorts a whole list of texts with the trained model, and saves the table. */
import type { Classification, FineTuner } from 'pocketllm';
import { csv } from './csv.ts';
import { announce, byId, download, el } from './dom.ts';
import { bytes, count, excerpt, joined, percent } from './format.ts';
import { areForeign } from './knows.ts';
import { seal } from './privacy.ts';
import { isAbort, showProblem } from './problem.ts';
import { showRefusal, Unfit } from './refusal.ts';
import { MAX_BYTES } from './rows.ts';
import { columnName } from './said.ts';
import { asked, type App, type Prompting } from './state.ts';
import { t } from './text.ts';

/** The number of texts per call. It is small enough to show progress, and for Stop to act soon. */
const AT_ONCE = 16;
/** Rows of the table that are shown. The file has all of them. */
const SHOWN = 10;
/** If it is this sure of every text, none of them is worth a look. */
const SURE = 0.9;
/** Milliseconds between two drawings of the progress. */
const DRAW_MS = 100;

interface Sorted {
  readonly text: string;
  readonly label: string;
  readonly probability: number;
  readonly foreign: boolean;
}

export class ListSorter {
  readonly #app: App;
  readonly #input = byId('many-input', HTMLTextAreaElement);
  readonly #picker = byId('many-file', HTMLInputElement);
  readonly #note = byId('many-note', HTMLElement);
  readonly #problem = byId('many-problem', HTMLElement);
  readonly #start = byId('many-start', HTMLButtonElement);
  readonly #stop = byId('many-stop', HTMLButtonElement);
  readonly #live = byId('many-live', HTMLElement);
  readonly #status = byId('many-status', HTMLElement);
  readonly #bar = byId('many-bar', HTMLProgressElement);
  readonly #shown = byId('many-shown', HTMLElement);
  readonly #save = byId('many-save', HTMLButtonElement);
  #sorted: Sorted[] = [];
  #stopping: AbortController | undefined;
  #drawn = 0;
  /** What the table was sorted with. */
  #by: unknown[] = [];

  constructor(app: App) {
    this.#app = app;
    byId('many', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#sort();
    });
    this.#stop.addEventListener('click', () => this.#stopping?.abort());
    this.#input.addEventListener('input', seal);
    this.#picker.addEventListener('change', () => {
      seal();
      void this.#sort();
    });
    this.#save.addEventListener('click', () => download(this.#file(), t.sorting.fileName));
  }

  /** Called when step 4 opens. Removes a table that another model has sorted. */
  opened(): void {
    const { tuner, trained, prompting } = this.#app;
    const now = [tuner, trained, prompting];
    if (now.every((each, at) => each === this.#by[at])) return;
    this.#by = now;
    this.#sorted = [];
    showProblem(this.#problem);
    this.#picker.value = '';
    this.#note.textContent = t.sorting.note;
    [this.#live.hidden, this.#save.hidden] = [true, true];
    this.#shown.replaceChildren();
  }

  async #sort(): Promise<void> {
    const { tuner, prompting } = this.#app;
    if (tuner === undefined || prompting === undefined || this.#stopping !== undefined) return;
    showProblem(this.#problem);
    this.#stopping = new AbortController();
    this.#sorted = [];
    [this.#start.hidden, this.#stop.hidden, this.#save.hidden, this.#live.hidden] = [true, false, true, false];
    [this.#status.textContent, this.#note.textContent] = [t.sorting.reading, t.sorting.note];
    this.#stop.focus({ preventScroll: true });
    this.#bar.removeAttribute('value');
    this.#shown.replaceChildren();
    let texts: readonly string[] = [];
    let failed = false;
    try {
      texts = await this.#read(tuner);
      await this.#classify(tuner, prompting, texts, this.#stopping.signal);
    } catch (error) {
      failed = !isAbort(error);
      const shown = isAbort(error) || (await showRefusal(this.#problem, error, this.#picker.files?.[0]));
      if (!shown) showProblem(this.#problem, error);
    } finally {
      this.#stopping = undefined;
      this.#picker.value = '';
      [this.#start.hidden, this.#stop.hidden] = [false, true];
      this.#finish(texts.length);
      // If nothing could be read, the error says everything.
      if (failed && texts.length === 0) this.#live.hidden = true;
    }
  }

  /** The texts of the chosen file, or of the field. */
  async #read(tuner: FineTuner): Promise<readonly string[]> {
    const file = this.#picker.files?.[0];
    if (file === undefined) {
      const lines = this.#input.value.split('\n').map((line) => line.trim());
      return lines.filter((line) => line !== '');
    }
    if (file.size > MAX_BYTES) throw new Unfit(t.refusal.tooLarge(file.name, bytes(file.size), bytes(MAX_BYTES)), t.refusal.tooLargeAdvice);
    const { kind, rows, layout } = await tuner.readRows(file, { name: file.name, unlabeled: true });
    const texts = kind === 'plain' ? rows : kind === 'classified' ? rows.map(({ text }) => text) : kind === 'completion' ? rows.map(({ prompt }) => prompt) : [];
    const many = layout?.text !== undefined && layout.columns.length > 1;
    this.#note.textContent = joined([t.sorting.chosen(file.name, texts.length), ...(many ? [t.sorting.columns(columnName(layout, layout.text))] : [])]);
    return texts;
  }

  async #classify(tuner: FineTuner, prompting: Prompting, texts: readonly string[], signal: AbortSignal): Promise<void> {
    const prompt = { ...asked(prompting), signal };
    const body = byId('body-4', HTMLElement);
    for (let first = 0; first < texts.length; first += AT_ONCE) {
      const part = texts.slice(first, first + AT_ONCE);
      const answers = await tuner.classifyAll(part, prompt);
      const foreign = await areForeign(tuner, part);
      this.#sorted.push(...answers.map((answer, at) => ({ ...named(part[at] ?? '', answer, prompting), foreign: foreign[at] === true })));
      // Once the person has left the step, another training may change the model.
      if (body.hidden) this.#stopping?.abort();
      if (signal.aborted) return;
      this.#draw(texts.length);
    }
  }

  #draw(all: number): void {
    const now = performance.now();
    if (now - this.#drawn < DRAW_MS) return;
    this.#drawn = now;
    this.#status.textContent = t.sorting.progress(this.#sorted.length, all);
    this.#bar.value = this.#sorted.length / all;
    if (this.#shown.childElementCount === 0 || this.#sorted.length <= SHOWN * 2) this.#shown.replaceChildren(...table(t.sorting.first, this.#sorted.slice(0, SHOWN)));
  }

  #finish(all: number): void {
    const done = this.#sorted.length;
    this.#bar.value = all === 0 ? 0 : done / all;
    this.#status.textContent = all === 0 ? t.sorting.empty : done === all ? t.sorting.done(all) : t.sorting.stopped(done, all);
    this.#bar.hidden = all === 0;
    announce(this.#status.textContent);
    this.#start.focus({ preventScroll: true });
    if (done === 0) return;
    const most = new Map<string, number>();
    for (const { label } of this.#sorted) most.set(label, (most.get(label) ?? 0) + 1);
    const counts = [...most].sort((a, b) => b[1] - a[1]);
    const unsure = this.#sorted.toSorted((a, b) => a.probability - b.probability).slice(0, SHOWN);
    const asks = done > SHOWN && (unsure[0]?.probability ?? 1) < SURE;
    const foreign = this.#sorted.filter((each) => each.foreign).length;
    this.#shown.replaceChildren(
      ...(foreign === 0 ? [] : [el('p', { class: 'notice' }, t.sorting.foreign(foreign))]),
      el('ul', { class: 'sums' }, ...counts.map(([label, many]) => el('li', {}, el('span', { class: 'tag' }, label), ` ${count(many)}`))),
      ...table(asks ? t.sorting.leastSure : t.sorting.first, asks ? unsure : this.#sorted.slice(0, SHOWN)),
    );
    this.#save.hidden = false;
    this.#save.focus({ preventScroll: true });
  }

  #file(): Blob {
    const head = [t.sorting.text, t.sorting.label, t.sorting.probability];
    const rows = this.#sorted.map(({ text, label, probability }) => [text, label, probability.toFixed(4)]);
    return new Blob([csv([head, ...rows])], { type: 'text/csv;charset=utf-8' });
  }
}

/** The answer with the label as the person wrote it. */
function named(text: string, { label, scores }: Classification, { names }: Prompting): Omit<Sorted, 'foreign'> {
  return { text, label: names.get(label) ?? label, probability: scores[0]?.probability ?? 0 };
}

/** A table of texts with their labels, under a heading. */
function table(heading: string, rows: readonly Sorted[]): HTMLElement[] {
  const line = ({ text, label, probability }: Sorted): HTMLElement =>
    el('tr', {}, el('td', { dir: 'auto' }, excerpt(text, 120)), el('td', {}, el('span', { class: 'tag' }, label)), el('td', { class: 'figure' }, percent(probability)));
  const head = el('tr', {}, ...[t.sorting.text, t.sorting.label, t.sorting.probability].map((name) => el('th', { scope: 'col' }, name)));
  return [el('h4', {}, heading), el('table', { class: 'rows' }, el('thead', {}, head), el('tbody', {}, ...rows.map(line)))];
}
