/** Step 2: the examples, their labels, and the sentence that the model completes. */
import { PocketError, type FineTuner } from 'pocketllm';
import { readBrought } from './brought.ts';
import { ColumnQuestions } from './columns.ts';
import { byId, chosen, debounced, el, onChoice } from './dom.ts';
import { bytes, count, excerpt, percent } from './format.ts';
import { Draft } from './draft.ts';
import { ForeignNote } from './knows.ts';
import { LabelsForTexts } from './later.ts';
import { seal } from './privacy.ts';
import { readoutRows } from './prompt.ts';
import { showProblem } from './problem.ts';
import { showRefusal, Unfit } from './refusal.ts';
import { explainSources, ReadAs } from './read-as.ts';
import { counted, MAX_BYTES, oneOfEach, split, type Parsed, type Row } from './rows.ts';
import { offerSamples, readSample, sampleNow, SAMPLES, type SampleName } from './samples.ts';
import { speed } from './speed.ts';
import type { App, Dataset, Flow } from './state.ts';
import { t } from './text.ts';
import { TypedRows } from './typed.ts';
import { prepared, proposeOpenings, understood } from './writing.ts';

/** Maximum number of texts to keep aside: enough to distinguish a difference of 5% from chance. */
const HELD_OUT = 400;
/** With fewer examples, each is measured in turn (cross-validation), because a share of them would be too few to measure anything. */
const FEW = 100;
/** The share that is kept aside of more examples. */
const USUAL = '0.2';
const SHOWN = 3;
const LEFT_SHOWN = 20;

/** Sets step 2 up. Returns how to take the examples of a sample, which opens step 3 if it goes well. */
export function setUpData(app: App, flow: Flow): (sample: SampleName) => Promise<boolean> {
  const problem = byId('data-problem', HTMLElement);
  const view = byId('data-view', HTMLElement);
  const next = byId('data-next', HTMLButtonElement);
  const paste = byId('paste-input', HTMLTextAreaElement);
  const picker = byId('data-input', HTMLInputElement);
  const template = byId('template', HTMLInputElement);
  let parsed: Parsed | undefined;
  /** The rows to measure on, if the data come with some. Otherwise the rows are split. */
  let apart: Row[] | undefined;
  /** The rows to learn from, and those to measure on. */
  let drawn: { train: Row[]; heldOut: Row[] } = { train: [], heldOut: [] };
  let words = new Map<string, string>();
  let reading = 0;
  /** The examples that this step has handed on, or taken from a training that was opened. */
  let used: Dataset | undefined;
  const typed = new TypedRows(() => (seal(), draft.changed(), void refresh()));
  const draft = new Draft(() => ({ source: chosen('data'), pasted: paste.value, typed: typed.rows }), () => fill('', []));
  app.clearDraft = () => draft.clear();
  const share = byId('split', HTMLSelectElement);
  /** Whether the person has chosen how to measure. */
  let shareChosen = false;
  const questions = new ColumnQuestions(() => void refresh());
  const later = new LabelsForTexts(relabel);
  const foreign = new ForeignNote();
  const readAs = new ReadAs(() => (changed(), showNote()));
  const promptView = byId('prompt-view', HTMLDetailsElement);

  const causal = (): boolean => app.tuner?.info.head === 'causal-lm';

  onChoice('data', () => (draft.changed(), void renew()));
  const pasted = debounced(() => void renew(), 300);
  paste.addEventListener('input', () => (seal(), draft.changed(), pasted()));
  picker.addEventListener('change', () => (seal(), void renew()));
  share.addEventListener('change', () => ((shareChosen = true), changed(), redraw()));
  template.addEventListener('input', () => (showPreview(), changed()));
  next.addEventListener('click', () => void finish());
  byId('sample', HTMLSelectElement).addEventListener('change', () => void renew());
  flow.onOpen(2, () => void opened());

  async function opened(): Promise<void> {
    if (app.dataset !== undefined && app.dataset !== used) return adopt(app.dataset);
    const before = await draft.take();
    if (before !== undefined) {
      seal();
      const radio = document.querySelector<HTMLInputElement>(`input[name=data][value="${before.source}"]`);
      if (radio !== null) radio.checked = true;
      fill(before.pasted, before.typed);
    }
    if (parsed === undefined) await refresh();
  }

  /** Puts texts into the fields for pasting and typing. */
  function fill(pastedText: string, rows: readonly Row[]): void {
    paste.value = pastedText;
    typed.replace(rows);
  }

  /** Takes the examples of a sample, and opens step 3 if that goes well. */
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
    return refresh();
  }

  /** Reads the examples that are selected now. Only the latest call has an effect. */
  async function refresh(): Promise<void> {
    const mine = ++reading;
    speed.pause();
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
    try {
      const found = await readSource(source);
      if (mine !== reading || found === undefined) return;
      apart = found.apart;
      questions.show(found.parsed.layout, causal());
      if (found.parsed.kind === 'unlabelled') {
        // If a column may have the labels, the person confirms it first.
        if (found.parsed.layout === undefined || questions.wanted.unlabeled === true) later.show(found.parsed.texts);
        return;
      }
      accept(found.parsed);
    } catch (error) {
      if (mine === reading) await refuse(error, source);
    } finally {
      if (mine === reading) speed.warm(app);
    }
  }

  /** Shows what is wrong with the examples of a source. */
  async function refuse(error: unknown, source = chosen('data')): Promise<void> {
    const given = source === 'paste' ? paste.value : source === 'file' ? picker.files?.[0] : undefined;
    if (!(await showRefusal(problem, error, given))) showProblem(problem, error);
  }

  /** Shows examples that can be learned from. */
  function accept(found: Parsed): void {
    draw(found);
    parsed = found;
    show();
  }

  /** Shows the examples of a training that was opened. They are in none of the fields. */
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
      words = new Map([...names].map(([word, label]) => [label, word]));
    }
    show();
    if (dataset.kind === 'labelled') template.value = dataset.template;
    showPreview();
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
    if (source === 'type') return typed.labels < 2 ? undefined : { parsed: counted([...typed.rows], []) };
    if (source === 'paste') return paste.value.trim() === '' ? undefined : { parsed: await readBrought(tuner, paste.value, t.examples.theExamples, questions, causal()) };
    const file = picker.files?.[0];
    if (file === undefined) return undefined;
    byId('data-chosen', HTMLElement).textContent = `${file.name} (${bytes(file.size)})`;
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
    // Training deeply keeps some aside even then, because it cannot measure each example in turn.
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
    promptView.hidden = parsed.kind !== 'labelled' || app.tuner?.info.labelWords === false;
    byId('split-view', HTMLElement).hidden = parsed.kind !== 'labelled' || apart !== undefined;
    if (parsed.kind === 'labelled') {
      words = new Map([...parsed.labels.keys()].map((label) => [label, words.get(label) ?? label.toLowerCase()]));
      template.value = defaultTemplate(parsed.rows);
      byId('template-note', HTMLElement).textContent = causal()
        ? t.examples.templateEnd
        : t.examples.templateMask;
      showLabels(parsed.labels, parsed.rows.length);
    }
    showPreview();
    showNote();
    void foreign.show(app, parsed);
    view.hidden = false;
    next.disabled = false;
  }

  function defaultTemplate(rows: readonly Row[]): string {
    const pairs = rows.some(({ text_b }) => text_b !== undefined);
    const sample = sampleNow() === 'junk-mail';
    if (causal()) return pairs ? '{text} {text_b} It was' : sample ? '{text} This is mail that is' : '{text} It was';
    if (sample) return 'This is [MASK] mail . {text}';
    return pairs ? '{text} ? [MASK] , {text_b}' : '{text} It was [MASK] .';
  }

  function showLabels(labels: ReadonlyMap<string, number>, rows: number): void {
    byId('label-counts', HTMLElement).replaceChildren(
      ...[...labels].map(([label, many]) => {
        const share = el('progress', { value: String(many / rows), 'aria-hidden': 'true' });
        const figure = el('span', { class: 'figure' }, `${count(many)} (${percent(many / rows)})`);
        return el('div', {}, el('p', { class: 'label-count' }, el('b', {}, label), figure), el('div', { class: 'bar' }, share));
      }),
    );
    byId('label-rows', HTMLElement).replaceChildren(
      ...[...labels.keys()].map((label, at) => {
        const input = el('input', {
          type: 'text',
          id: `word-${at}`,
          value: words.get(label) ?? '',
          spellcheck: 'false',
          autocapitalize: 'off',
          autocomplete: 'off',
          'aria-label': t.examples.wordFor(label),
        });
        input.addEventListener('input', () => {
          words.set(label, input.value.trim());
          showPreview();
          changed();
        });
        return el('div', { class: 'label-row' }, el('b', {}, label), input);
      }),
    );
  }

  /** Whether each example is measured in turn. */
  const folds = (): boolean => apart === undefined && share.value === 'fold';

  function showPreview(): void {
    if (parsed === undefined) return;
    const rows = parsed.kind === 'labelled' ? oneOfEach(parsed.rows, SHOWN) : [];
    const line = ({ text, label }: Row): HTMLElement => el('tr', {}, el('td', { dir: 'auto' }, excerpt(text, 160)), el('td', {}, el('span', { class: 'tag', dir: 'auto' }, label)));
    byId('shown-view', HTMLElement).hidden = parsed.kind !== 'labelled';
    byId('shown', HTMLElement).replaceChildren(...rows.map(line));
    byId('preview', HTMLElement).replaceChildren(...rows.map((row) => el('li', {}, ...filled(row))));
  }

  /** The sentence for a row, with the expected answer in its place. */
  function filled(row: Row): Node[] {
    const answer = el('span', { class: 'blank' }, words.get(row.label) || '?');
    const parts = template.value.split(/(\{text\}|\{text_b\}|\[MASK\])/);
    const nodes = parts.map((part): Node => {
      if (part === '{text}') return new Text(excerpt(row.text, 110));
      if (part === '{text_b}') return new Text(excerpt(row.text_b ?? '', 60));
      return part === '[MASK]' ? answer : new Text(part);
    });
    return causal() ? [...nodes, new Text(' '), answer] : nodes;
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
      const { aside } = sampleNow() === undefined ? proposeOpenings(parsed.writing) : { aside: 0 };
      lines.push(...(aside > 0 ? [t.writing.openingsAside(aside)] : []), ...parsed.said);
    }
    byId('data-note', HTMLElement).textContent = lines.join(' ');
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
      // The fields that can be corrected are shown.
      promptView.open = true;
      showProblem(problem, error);
    } finally {
      next.disabled = false;
    }
  }

  function labelled(): App['dataset'] & { kind: 'labelled' } {
    const used = [...words].filter(([label]) => parsed?.kind === 'labelled' && parsed.labels.has(label));
    const { train, heldOut } = drawn;
    return {
      kind: 'labelled',
      train,
      heldOut: heldOut.filter(({ label }) => words.has(label)),
      template: template.value.trim(),
      labels: used.map(([, word]) => word),
      names: new Map(used.map(([label, word]) => [word, label])),
      own: chosen('data') !== 'sample',
      folded: folds(),
    };
  }

  /** What a model learns to write from. The sample has its own openings to compare; of a person's examples, some are kept aside for that. */
  function free(): App['dataset'] & { kind: 'free' } {
    if (parsed?.kind !== 'free') throw new PocketError('data-invalid', t.examples.nothingYet);
    const sample = sampleNow();
    const { form } = readAs;
    const { settings, sentences } = sample === undefined ? {} : SAMPLES[sample];
    const { openings, rest } = sentences === undefined ? proposeOpenings(parsed.writing) : { openings: [...sentences], rest: parsed.writing };
    return { kind: 'free', ...prepared(rest, form), form, openings, own: sample === undefined, ...(settings === undefined ? {} : { settings }) };
  }

  return takeSample;
}

/** A short summary of the examples, for the heading of the step. */
export function summarizeData(dataset: Dataset): string {
  if (dataset.kind === 'free') return typeof dataset.data === 'string' ? t.examples.toLearnFrom : t.writing.toAnswerFrom(dataset.data.length);
  return t.examples.summary(readoutRows(dataset).length, [...dataset.names.values()].join(', '));
}
