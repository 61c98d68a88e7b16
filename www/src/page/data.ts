/** Step 2: the examples, their labels, and the sentence that the model completes. */
import { PocketError, type FineTuner } from 'pocketllm';
import { readBrought } from './brought.ts';
import { ColumnQuestions } from './columns.ts';
import { byId, chosen, debounced, el, onChoice } from './dom.ts';
import { bytes, count, excerpt, joined, percent } from './format.ts';
import type { Draft, DraftTexts } from './draft.ts';
import { ForeignNote } from './knows.ts';
import { LabelsForTexts } from './later.ts';
import { seal } from './privacy.ts';
import { readoutRows } from './prompt.ts';
import { showProblem } from './problem.ts';
import { PromptForm } from './prompt-form.ts';
import { putBack } from './put-back.ts';
import { showRefusal, Unfit } from './refusal.ts';
import { explainSources, ReadAs } from './read-as.ts';
import { counted, MAX_BYTES, oneOfEach, split, type Parsed, type Row } from './rows.ts';
import { offerSamples, readSample, sampleNow, SAMPLES, type SampleName } from './samples.ts';
import { speed } from './speed.ts';
import type { App, Dataset, Flow } from './state.ts';
import { marked, t } from './text.ts';
import { TypedRows } from './typed.ts';
import { prepared, proposeOpenings, understood } from './writing.ts';

/** Maximum number of texts to keep aside: enough to distinguish a difference of 5% from chance. */
const HELD_OUT = 400;
/** With fewer examples than this, all are measured by cross-validation, because a share of them would be too few to measure anything. */
const FEW = 100;
/** The share that is kept aside if there are more examples. */
const USUAL = '0.2';
const SHOWN = 3;
const LEFT_SHOWN = 20;

/** Sets step 2 up. Returns a function that takes the examples of a sample, and opens step 3 if that succeeds. */
export function setUpData(app: App, flow: Flow, draft: Draft): (sample: SampleName) => Promise<boolean> {
  const problem = byId('data-problem', HTMLElement);
  const view = byId('data-view', HTMLElement);
  const next = byId('data-next', HTMLButtonElement);
  const paste = byId('paste-input', HTMLTextAreaElement);
  const picker = byId('data-input', HTMLInputElement);
  let parsed: Parsed | undefined;
  /** The rows to measure on, if the data come with some. Otherwise the rows are split. */
  let apart: Row[] | undefined;
  /** The rows to learn from, and those to measure on. */
  let drawn: { train: Row[]; heldOut: Row[] } = { train: [], heldOut: [] };
  /** The file that was chosen, now or at an earlier visit. */
  let file: File | undefined;
  let reading = 0;
  /** The examples that this step has handed on, or taken from a training that was opened. */
  let used: Dataset | undefined;
  const typed = new TypedRows(
    () => (seal(), draft.changed(), void refresh()),
    () => (seal(), draft.changed()),
  );
  const share = byId('split', HTMLSelectElement);
  /** Whether the person has chosen how to measure. */
  let shareChosen = false;
  const questions = new ColumnQuestions(() => (draft.changed(), void refresh()));
  const later = new LabelsForTexts(() => (draft.changed(), relabel()));
  const prompt = new PromptForm(() => (draft.changed(), changed()));
  const foreign = new ForeignNote();
  const readAs = new ReadAs(() => (draft.changed(), changed(), showNote()));

  draft.keep('texts', { read: gathered, clear: () => (fill({ source: '', pasted: '', typed: [] }), void refresh()) });

  const causal = (): boolean => app.tuner?.info.head === 'causal-lm';

  onChoice('data', () => (draft.changed(), void renew()));
  const pasted = debounced(() => void renew(), 300);
  paste.addEventListener('input', () => {
    seal();
    draft.changed();
    // The examples that were read are no longer those in the field.
    reading++;
    next.disabled = true;
    pasted();
  });
  picker.addEventListener('change', () => {
    const [picked] = picker.files ?? [];
    if (picked === undefined) return;
    file = picked;
    seal();
    draft.hold(picked);
    void renew();
  });
  share.addEventListener('change', () => ((shareChosen = true), draft.changed(), changed(), redraw()));
  next.addEventListener('click', () => void finish());
  byId('sample', HTMLSelectElement).addEventListener('change', () => void renew());
  flow.onOpen(2, () => void opened());

  async function opened(): Promise<void> {
    const before = await draft.take('texts');
    if (before !== undefined) fill(before, await draft.takeFile());
    if (app.dataset !== undefined && app.dataset !== used) adopt(app.dataset);
    else if (before !== undefined || parsed === undefined) await refresh();
    draft.show();
  }

  /** What the person has prepared, if there is anything. */
  function gathered(): DraftTexts | undefined {
    if (paste.value.trim() === '' && typed.isEmpty && file === undefined) return undefined;
    const [columns, labels, own] = [questions.state, later.state, prompt.own];
    return {
      ...{ source: chosen('data'), pasted: paste.value, ...typed.state },
      ...(columns === undefined ? {} : { columns }),
      ...(labels === undefined ? {} : { later: labels }),
      ...(own === undefined ? {} : { prompt: own }),
      ...(readAs.own === undefined ? {} : { form: readAs.own }),
      ...(shareChosen ? { share: share.value } : {}),
    };
  }

  /** Puts what was prepared in its place, in the fields and beside them. */
  function fill(before: DraftTexts, brought?: File): void {
    const { source, pasted, columns, later: labels, prompt: own, share: part } = before;
    // If the draft was on the sample, the tab that was tapped to get here stays open.
    const radio = source === 'sample' ? null : document.querySelector<HTMLInputElement>(`input[name=data][value="${CSS.escape(source)}"]`);
    if (radio !== null) radio.checked = true;
    [file, picker.value, paste.value, shareChosen] = [brought, '', pasted, part !== undefined];
    if (part !== undefined) share.value = part;
    typed.suit(causal());
    typed.restore(before);
    questions.restore(columns);
    later.restore(labels);
    prompt.restore(own);
    readAs.own = before.form;
    if (pasted.trim() !== '' || !typed.isEmpty || brought !== undefined) seal();
  }

  /** Takes the examples of a sample, and opens step 3 if that succeeds. */
  async function takeSample(sample: SampleName): Promise<boolean> {
    byId('data-sample-choice', HTMLInputElement).checked = true;
    offerSamples(causal());
    byId('sample', HTMLSelectElement).value = sample;
    await renew();
    if (parsed === undefined) return false;
    await finish();
    return app.dataset !== undefined;
  }

  function changed(): void {
    delete app.dataset;
    flow.lockAfter(2);
  }

  /** Reads other examples than before. */
  function renew(): Promise<void> {
    questions.reset();
    readAs.own = undefined;
    return refresh();
  }

  /** Reads the examples that are selected now. Only the latest call has an effect. */
  async function refresh(): Promise<void> {
    const mine = ++reading;
    const release = speed.hold();
    const source = chosen('data');
    for (const each of ['sample', 'type', 'paste', 'file']) byId(`data-${each}`, HTMLElement).hidden = each !== source;
    showProblem(problem);
    view.hidden = true;
    next.disabled = true;
    parsed = undefined;
    later.hide();
    foreign.hide();
    changed();
    offerSamples(causal());
    explainSources(causal());
    typed.suit(causal());
    try {
      const found = await readSource(source);
      if (mine !== reading || found === undefined) return;
      apart = found.apart;
      questions.show(found.parsed.layout, causal(), found.parsed.kind === 'labelled' ? [...found.parsed.labels.keys()] : []);
      if (found.parsed.kind === 'unlabelled') {
        // If a column may have the labels, the person confirms it first.
        if (found.parsed.layout === undefined || questions.wanted.unlabeled === true) later.show(found.parsed.texts);
        return;
      }
      accept(found.parsed);
    } catch (error) {
      if (mine === reading) await refuse(error, source);
    } finally {
      release();
      if (mine === reading) speed.warm(app);
    }
  }

  /** Shows what is wrong with the examples of a source. */
  async function refuse(error: unknown, source = chosen('data')): Promise<void> {
    const [mine, given] = [reading, source === 'paste' ? paste.value : source === 'file' ? file : undefined];
    if (!(await showRefusal(problem, error, given, () => mine !== reading))) showProblem(problem, error);
  }

  /** Shows examples that can be learned from. */
  function accept(found: Parsed): void {
    draw(found);
    parsed = found;
    show();
  }

  /** Shows the examples of a training that was opened. None of the fields is open, but they have the examples. */
  function adopt(dataset: Dataset): void {
    used = dataset;
    reading++;
    showProblem(problem);
    later.hide();
    questions.show(undefined, causal());
    for (const radio of document.querySelectorAll<HTMLInputElement>('input[name=data]')) radio.checked = false;
    for (const each of ['sample', 'type', 'paste', 'file']) byId(`data-${each}`, HTMLElement).hidden = true;
    if (dataset.kind === 'free') {
      parsed = { kind: 'free', writing: understood(dataset.data), problems: [], said: [] };
      apart = undefined;
    } else {
      const { train, heldOut, names, folded } = dataset;
      parsed = counted([...train, ...heldOut], []);
      [apart, drawn] = [folded === true ? undefined : heldOut, { train, heldOut }];
      if (folded === true) share.value = 'fold';
      prompt.restore({ words: [...names].map(([word, label]) => [label, word]) });
    }
    show();
    putBack(dataset, causal(), typed, paste);
    if (dataset.kind === 'labelled') prompt.template = dataset.template;
    draft.show();
  }

  /** Uses the texts that were labeled by hand. */
  function relabel(): void {
    reading++;
    showProblem(problem);
    const { rows } = later;
    const enough = new Set(rows.map(({ label }) => label)).size > 1;
    if (!enough) {
      [view.hidden, next.disabled, parsed] = [true, true, undefined];
      return;
    }
    try {
      accept(counted(rows, []));
    } catch (error) {
      void refuse(error);
    }
  }

  async function readSource(source: string): Promise<{ parsed: Parsed; apart?: Row[] } | undefined> {
    const tuner = loaded();
    if (source === 'sample') return readSample(tuner);
    if (source === 'type') {
      const { parsed: rows } = typed;
      return rows === undefined ? undefined : { parsed: rows };
    }
    if (source === 'paste') return paste.value.trim() === '' ? undefined : { parsed: await readBrought(tuner, paste.value, t.examples.theExamples, questions, causal()) };
    byId('data-chosen', HTMLElement).replaceChildren(...(file === undefined ? marked(t.examples.fileNote) : [`${file.name} (${bytes(file.size)})`]));
    if (file === undefined) return undefined;
    if (file.size > MAX_BYTES) {
      throw new Unfit(t.refusal.tooLarge(file.name, bytes(file.size), bytes(MAX_BYTES)), t.refusal.tooLargeAdvice);
    }
    return { parsed: await readBrought(tuner, file, file.name, questions, causal()) };
  }

  /** The engine that reads the examples comes with the model. */
  function loaded(): FineTuner {
    if (app.tuner === undefined) throw new PocketError('invalid-argument', t.examples.loadFirst);
    return app.tuner;
  }

  function draw(from: Parsed): void {
    if (from.kind !== 'labelled') return;
    if (!shareChosen) share.value = from.rows.length < FEW ? 'fold' : USUAL;
    // Training deeply keeps some aside even then, because it cannot use cross-validation.
    const part = Number(share.value === 'fold' ? USUAL : share.value);
    drawn = apart === undefined ? split(from.rows, part, HELD_OUT) : { train: from.rows, heldOut: apart };
  }

  /** Draws again after another share was chosen. */
  function redraw(): void {
    if (parsed === undefined) return;
    draw(parsed);
    showNote();
  }

  function show(): void {
    if (parsed === undefined) return;
    byId('label-view', HTMLElement).hidden = parsed.kind !== 'labelled';
    readAs.show(parsed.kind === 'free' ? parsed.writing : undefined, app.tuner?.info.chats === true, app.dataset);
    prompt.view.hidden = parsed.kind !== 'labelled' || app.tuner?.info.labelWords === false;
    byId('split-view', HTMLElement).hidden = parsed.kind !== 'labelled' || apart !== undefined;
    if (parsed.kind === 'labelled') {
      prompt.show(parsed.labels, parsed.rows, causal());
      showLabels(parsed.labels, parsed.rows.length);
    }
    showSome();
    showNote();
    void foreign.show(app, parsed);
    view.hidden = false;
    next.disabled = false;
  }

  function showLabels(labels: ReadonlyMap<string, number>, rows: number): void {
    byId('label-counts', HTMLElement).replaceChildren(
      ...[...labels].map(([label, many]) => {
        const share = el('progress', { value: String(many / rows), 'aria-hidden': 'true' });
        const figure = el('span', { class: 'figure' }, `${count(many)} (${percent(many / rows)})`);
        return el('div', {}, el('p', { class: 'label-count' }, el('b', {}, label), figure), el('div', { class: 'bar' }, share));
      }),
    );
  }

  /** Whether the examples are measured by cross-validation. */
  const folds = (): boolean => apart === undefined && share.value === 'fold';

  /** Shows the first examples as they were read. */
  function showSome(): void {
    if (parsed === undefined) return;
    const rows = parsed.kind === 'labelled' ? oneOfEach(parsed.rows, SHOWN) : [];
    const line = ({ text, label }: Row): HTMLElement => el('tr', {}, el('td', { dir: 'auto' }, excerpt(text, 160)), el('td', {}, el('span', { class: 'tag', dir: 'auto' }, label)));
    byId('shown-view', HTMLElement).hidden = parsed.kind !== 'labelled';
    byId('shown', HTMLElement).replaceChildren(...rows.map(line));
  }

  function showNote(): void {
    if (parsed === undefined) return;
    const lines: string[] = [];
    if (parsed.kind === 'labelled') {
      const { train, heldOut } = drawn;
      lines.push(t.examples.learnFrom(train.length + (folds() ? heldOut.length : 0)));
      lines.push(
        folds()
          ? t.examples.foldNote
          : heldOut.length > 0
          ? t.examples.moreAside(heldOut.length)
          : t.examples.noneAside,
        ...parsed.said,
      );
    } else if (parsed.kind === 'free') {
      const { aside } = sampleNow() === undefined ? proposeOpenings(readAs.writing ?? parsed.writing) : { aside: 0 };
      lines.push(...(aside > 0 ? [t.writing.openingsAside(aside)] : []), ...parsed.said);
    }
    byId('data-note', HTMLElement).textContent = joined(lines);
    const { problems } = parsed;
    byId('data-left', HTMLElement).hidden = problems.length === 0;
    byId('data-left-count', HTMLElement).textContent = t.examples.leftOut(problems.length);
    const more = problems.length - LEFT_SHOWN;
    const shown = [...problems.slice(0, LEFT_SHOWN), ...(more > 0 ? [t.examples.andMore(more)] : [])];
    byId('data-left-list', HTMLElement).replaceChildren(...shown.map((line) => el('li', {}, line)));
  }

  async function finish(): Promise<void> {
    showProblem(problem);
    next.disabled = true;
    try {
      // Without a change these are the examples of the last training, which can be continued.
      const dataset = app.dataset ?? (parsed?.kind === 'labelled' ? labelled() : free());
      if (dataset !== app.dataset) app.prompting = dataset.kind === 'labelled' ? dataset : undefined;
      [app.dataset, used] = [dataset, dataset];
      flow.done(2, summarizeData(dataset));
    } catch (error) {
      // Show the fields that the person can correct.
      prompt.view.open = true;
      showProblem(problem, error);
    } finally {
      next.disabled = false;
    }
  }

  function labelled(): App['dataset'] & { kind: 'labelled' } {
    const labels = parsed?.kind === 'labelled' ? [...parsed.labels.keys()] : [];
    const { train, heldOut } = drawn;
    return {
      kind: 'labelled',
      train,
      heldOut: heldOut.filter(({ label }) => labels.includes(label)),
      template: prompt.template,
      labels: labels.map((label) => prompt.word(label)),
      names: new Map(labels.map((label) => [prompt.word(label), label])),
      own: chosen('data') !== 'sample',
      folded: folds(),
    };
  }

  /** What a model learns to write from. The sample has its own openings to compare; of a person's examples, some are kept aside for that. */
  function free(): App['dataset'] & { kind: 'free' } {
    if (parsed?.kind !== 'free') throw new PocketError('data-invalid', t.examples.nothingYet);
    const sample = sampleNow();
    const { form, writing = parsed.writing } = readAs;
    const { settings, sentences, ending } = sample === undefined ? {} : SAMPLES[sample];
    const { openings, rest } = sentences === undefined ? proposeOpenings(writing) : { openings: [...sentences], rest: writing };
    return { kind: 'free', ...prepared(rest, form), form, openings, own: sample === undefined, ...(ending === undefined ? {} : { ending }), ...(settings === undefined ? {} : { settings }) };
  }

  return takeSample;
}

/** A short summary of the examples, for the heading of the step. */
export function summarizeData(dataset: Dataset): string {
  if (dataset.kind === 'free') {
    if (typeof dataset.data === 'string') return t.examples.toLearnFrom;
    return (understood(dataset.data).as === 'texts' ? t.writing.toWriteFrom : t.writing.toAnswerFrom)(dataset.data.length);
  }
  return t.examples.summary(readoutRows(dataset).length, [...dataset.names.values()].join(', '));
}
