/**
 * How the engine understood the columns of some data, and questions if it is not certain: what a model that writes should learn from
 * them, and what is in which column.
 */
import type { Layout, ReadOptions } from 'pocketllm';
import { byId, el } from './dom.ts';
import { excerpt } from './format.ts';
import type { Format } from './rows.ts';
import { columnName, sayLayout } from './said.ts';
import { t } from './text.ts';

/** What a model that writes learns from rows: to answer, to sort, or to write like a text. */
type Use = 'answer' | 'sort' | 'write';

/** The answers: columns by their number from 1. The text's column may be `all`, and the label of each text may be chosen by hand, which is `later`. */
interface Answers {
  use?: Use;
  /** The column of the texts, or of the questions. */
  text?: string;
  /** The column of the labels, or of the answers. */
  label?: string;
}

/** Names of the columns of questions and of answers, in the languages of the page. */
export const QUESTION = /^(question|prompt|q|frage|pregunta|質問|問い?|질문)$/i;
export const ANSWER = /^(answer|completion|response|reply|output|a|antwort|respuesta|答え|回答|답|답변|대답)$/i;

interface Choice {
  readonly value: string;
  readonly name: string;
  readonly note: string;
}

/** Answers, and how the data were understood before that. */
export interface ColumnState {
  readonly answers: Answers;
  readonly layout?: Layout;
  readonly format?: Format;
}

export class ColumnQuestions {
  #answers: Answers = {};
  /** How the data were understood before anything was answered, and the format that they were read in. */
  #layout: Layout | undefined;
  #format: Format | undefined;
  readonly #view = byId('columns', HTMLElement);
  readonly #changed: () => void;

  /** `changed` is called when a person answers. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Forgets the answers, because the data have changed. */
  reset(): void {
    [this.#answers, this.#layout, this.#format] = [{}, undefined, undefined];
    this.#view.replaceChildren();
    this.#view.hidden = true;
  }

  /** What a draft keeps, if anything has been answered. */
  get state(): ColumnState | undefined {
    return Object.keys(this.#answers).length === 0 ? undefined : { answers: this.#answers, ...this.known, ...this.format };
  }

  /** Takes the answers of an earlier visit, or forgets all. */
  restore(state: ColumnState | undefined): void {
    this.reset();
    if (state !== undefined) [this.#answers, this.#layout, this.#format] = [{ ...state.answers }, state.layout, state.format];
  }

  /** The layout of the questions, if there are any. */
  get known(): { layout: Layout } | undefined {
    return this.#layout === undefined ? undefined : { layout: this.#layout };
  }

  /** The format in which the data have columns, if the file name does not show it. */
  get format(): { format?: Format } {
    return this.#format === undefined ? {} : { format: this.#format };
  }

  /** The columns of the questions and of the answers, if the model is to learn to answer. */
  get answers(): readonly [question: string, answer: string] | undefined {
    return this.#use === 'answer' ? [this.#text, this.#label] : undefined;
  }

  /** The column of the running text, or `all` of the data, if the model is to learn to write like it. */
  get prose(): string | undefined {
    return this.#use === 'write' ? this.#text : undefined;
  }

  /** Whether a model that writes still needs answers. */
  get isOpen(): boolean {
    if (this.#layout === undefined) return false;
    return this.#use === undefined || this.#text === '' || (this.#use !== 'write' && (this.#label === '' || this.#label === this.#text));
  }

  /** The answers as options of `readRows`. */
  get wanted(): Omit<ReadOptions, 'name'> {
    const { text, label } = this.#answers;
    const textColumn = text === undefined ? {} : { textColumn: text };
    if (label === undefined) return textColumn;
    return label === 'later' ? { ...textColumn, unlabeled: true } : { ...textColumn, labelColumn: label };
  }

  /** Remembers how the data were understood before anything is answered. */
  consider(layout: Layout, format?: Format): void {
    [this.#layout, this.#format] = [layout, format];
  }

  /** Shows what was understood. `causal` says that the model writes, so that it can learn more than labels from the rows. `labels` are those that were found. */
  show(layout: Layout | undefined, causal: boolean, labels: readonly string[] = []): void {
    this.#view.hidden = layout === undefined;
    if (layout === undefined) return;
    // For a model that writes, the questions stay the same after the first time.
    this.#layout = causal ? (this.#layout ?? layout) : layout;
    const unsure = this.#layout.certainty === 'unsure' && this.#named('answer') === undefined;
    const focused = this.#view.contains(document.activeElement) && document.activeElement instanceof HTMLInputElement ? document.activeElement : undefined;
    const questions = causal ? this.#ofUse() : this.#ofColumns(t.examples.whichText, t.examples.whichLabel, true);
    const answered = Object.keys(this.#answers).length > 0;
    const asks = causal ? unsure : unsure && this.#answers.label === undefined;
    const place = el('details', unsure || answered ? { open: '' } : {}, el('summary', {}, t.examples.otherColumns), ...questions);
    const said = !causal || (this.#use === 'sort' && !this.isOpen) ? [el('p', { class: 'note', role: 'status' }, sayLayout(layout, labels))] : [];
    this.#view.replaceChildren(...(asks ? [el('p', { class: 'asked' }, causal ? t.writing.whatAreThey : t.examples.whichColumns), ...questions, ...(causal ? said : [])] : [...said, place]));
    if (focused !== undefined) this.#view.querySelector<HTMLInputElement>(`input[name="${focused.name}"][value="${focused.value}"]`)?.focus({ preventScroll: true });
  }

  get #use(): Use | undefined {
    if (this.#answers.use !== undefined || this.#layout === undefined) return this.#answers.use;
    if (this.#named('question') !== undefined && this.#named('answer') !== undefined) return 'answer';
    return this.#layout.certainty === 'unsure' ? undefined : 'sort';
  }

  /** The column whose name says that it has the questions or the answers. */
  #named(what: 'question' | 'answer'): string | undefined {
    const at = this.#layout?.columns.findIndex(({ name }) => (what === 'question' ? QUESTION : ANSWER).test(name.trim())) ?? -1;
    return at < 0 ? undefined : numbered(at);
  }

  /** The column of the text: as answered, or else as proposed. If there are two columns, the first one has the questions. */
  get #text(): string {
    const { columns, header = false, text } = this.#layout ?? { columns: [] };
    const proposed = { answer: this.#named('question') ?? (columns.length === 2 ? '1' : ''), sort: numbered(text), write: header ? numbered(text) : 'all' };
    return this.#answers.text ?? proposed[this.#use ?? 'sort'];
  }

  /** The column of the labels or the answers. An uncertain proposal is not preselected. */
  get #label(): string {
    const { columns, label, certainty } = this.#layout ?? { columns: [], certainty: 'unsure' };
    const other = columns.length === 2 ? (this.#text === '1' ? '2' : '1') : '';
    return this.#answers.label ?? (this.#use === 'answer' ? (this.#named('answer') ?? other) : certainty === 'unsure' ? '' : numbered(label));
  }

  /** Asks what the model should learn, and from which columns. */
  #ofUse(): HTMLElement[] {
    const uses: Choice[] = [
      { value: 'answer', name: t.writing.toAnswer, note: t.writing.toAnswerNote },
      { value: 'sort', name: t.writing.toSort, note: t.writing.toSortNote },
      { value: 'write', name: t.writing.toWrite, note: t.writing.toWriteNote },
    ];
    const use = this.#question('use', t.writing.whatToLearn, uses, this.#use ?? '');
    if (this.#use === undefined) return [use];
    if (this.#use === 'answer') return [use, ...this.#ofColumns(t.writing.whichQuestion, t.writing.whichAnswer, false)];
    if (this.#use === 'sort') return [use, ...this.#ofColumns(t.examples.whichText, t.examples.whichLabel, false)];
    const all: Choice = { value: 'all', name: t.writing.allOfIt, note: t.writing.allOfItNote };
    return [use, this.#question('text', t.examples.whichText, [...this.#columns(), all], this.#text)];
  }

  #ofColumns(text: string, label: string, later: boolean): HTMLElement[] {
    const others = this.#columns().filter(({ value }) => value !== this.#text);
    const byHand: Choice = { value: 'later', name: t.examples.noColumn, note: t.examples.byHand };
    return [this.#question('text', text, this.#columns(), this.#text), this.#question('label', label, later ? [...others, byHand] : others, this.#label)];
  }

  #columns(): Choice[] {
    return (this.#layout?.columns ?? []).map(({ samples }, at) => ({ value: numbered(at), name: columnName(this.#layout, at), note: samples.map((sample) => excerpt(sample, 40)).join(' · ') }));
  }

  #question(name: keyof Answers, legend: string, choices: readonly Choice[], chosen: string): HTMLElement {
    const items = choices.map(({ value, name: title, note }) => {
      const input = el('input', { type: 'radio', name: `column-${name}`, value, ...(value === chosen ? { checked: '' } : {}) });
      input.addEventListener('change', () => {
        if (name === 'use') this.#answers = { use: value as Use };
        else this.#answers[name] = value;
        // The text's column cannot have the labels too.
        if (name === 'text' && this.#answers.label === value) delete this.#answers.label;
        this.#changed();
      });
      return el('label', { class: 'choice' }, input, el('span', { class: 'choice-name' }, title), el('span', { class: 'choice-note' }, note));
    });
    return el('fieldset', {}, el('legend', {}, legend), el('div', { class: 'choices' }, ...items));
  }
}

/** The number of a column, from 1. */
const numbered = (index: number | undefined): string => (index === undefined ? '' : String(index + 1));
