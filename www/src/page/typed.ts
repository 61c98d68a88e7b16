/** The form for typing examples one by one: each with its label, or, for a model that writes, texts or questions with their answers. */
import { byId, el } from './dom.ts';
import { excerpt } from './format.ts';
import { folded } from './copies.ts';
import { counted, type Parsed, type Row } from './rows.ts';
import { t } from './text.ts';

/** What is learned from the rows. With `sort` and `answer`, each has two fields; the second one is the label or the answer. */
type Use = 'sort' | 'write' | 'answer';
const WRITES = ['write', 'answer'] as const;

/** The least number of texts or questions. */
const LEAST = 2;

/** The rows, and the one that is being typed. */
export interface TypedState {
  readonly typed: readonly Row[];
  readonly typing?: Row;
  /** The rows for a model that writes: texts, and questions with their answers in place of the label. */
  readonly typedToWrite?: undefined | { readonly use: (typeof WRITES)[number]; readonly texts: readonly Row[]; readonly answers: readonly Row[] };
}

export class TypedRows {
  readonly #rows: Record<Use, Row[]> = { sort: [], write: [], answer: [] };
  readonly #text = byId('type-text', HTMLTextAreaElement);
  readonly #label = byId('type-label', HTMLInputElement);
  readonly #answer = byId('type-answer', HTMLTextAreaElement);
  readonly #select = byId('type-use', HTMLSelectElement);
  #writes = false;
  readonly #changed: () => void;

  /** `changed` is called when a row is added or removed, and `typing` when the fields for the next one have changed. */
  constructor(changed: () => void, typing: () => void) {
    this.#changed = changed;
    for (const field of [this.#text, this.#label, this.#answer]) field.addEventListener('input', typing);
    this.#select.addEventListener('change', () => {
      this.#show();
      changed();
    });
    byId('data-type', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#add();
    });
  }

  /** Shows the fields for what a model of this kind learns from. */
  suit(writes: boolean): void {
    if (this.#writes === writes) return;
    this.#writes = writes;
    this.#show();
  }

  /** The examples, if there are enough of them. */
  get parsed(): Parsed | undefined {
    const rows = [...this.#now];
    if (this.#use === 'sort') return this.#names().length < LEAST ? undefined : counted(rows, []);
    if (rows.length < LEAST) return undefined;
    const writing = this.#use === 'write' ? { as: 'texts' as const, rows: rows.map(({ text }) => text) } : { as: 'answers' as const, rows: rows.map(({ text, label }) => ({ prompt: text, completion: label })) };
    return { kind: 'free', writing, problems: [], said: [] };
  }

  get isEmpty(): boolean {
    return Object.values(this.#rows).every(({ length }) => length === 0) && this.#text.value.trim() === '';
  }

  get state(): TypedState {
    const { sort, write, answer } = this.#rows;
    const typing = { text: this.#text.value, label: this.#second?.value ?? '' };
    return {
      typed: sort,
      ...(typing.text.trim() === '' ? {} : { typing }),
      ...(write.length + answer.length === 0 && this.#written === 'write' ? {} : { typedToWrite: { use: this.#written, texts: write, answers: answer } }),
    };
  }

  /** Shows this in place of what was typed. */
  restore({ typed, typing, typedToWrite }: TypedState): void {
    Object.assign(this.#rows, { sort: [...typed], write: [...(typedToWrite?.texts ?? [])], answer: [...(typedToWrite?.answers ?? [])] });
    this.#select.value = typedToWrite?.use ?? 'write';
    [this.#label.value, this.#answer.value] = ['', ''];
    this.#text.value = typing?.text ?? '';
    if (this.#second !== undefined) this.#second.value = typing?.label ?? '';
    this.#show();
  }

  get #written(): (typeof WRITES)[number] {
    return WRITES.find((use) => use === this.#select.value) ?? 'write';
  }

  get #use(): Use {
    return this.#writes ? this.#written : 'sort';
  }

  get #now(): Row[] {
    return this.#rows[this.#use];
  }

  /** The field beside the text, if there is one. */
  get #second(): HTMLInputElement | HTMLTextAreaElement | undefined {
    return { sort: this.#label, write: undefined, answer: this.#answer }[this.#use];
  }

  #names = (): string[] => [...new Set(this.#rows.sort.map(({ label }) => label))];

  #add(): void {
    const [text, second] = [this.#text, this.#second];
    const fields = second === undefined ? [text] : [text, second];
    const empty = fields.find(({ value }) => value.trim() === '');
    for (const field of fields) field.setAttribute('aria-invalid', String(field === empty));
    if (empty !== undefined) {
      empty.focus();
      return;
    }
    const label = second?.value.trim() ?? '';
    // "Work" and "work" are one label.
    const same = this.#use === 'sort' ? this.#names().find((name) => folded(name) === folded(label)) : undefined;
    this.#now.push({ text: text.value.trim(), label: same ?? label });
    text.value = '';
    // The next text often has the same label, but it has another answer.
    if (second === this.#answer) second.value = '';
    text.focus();
    this.#show();
    this.#changed();
  }

  #show(): void {
    const use = this.#use;
    byId('type-use-field', HTMLElement).hidden = use === 'sort';
    byId('type-label-field', HTMLElement).hidden = use !== 'sort';
    byId('type-answer-field', HTMLElement).hidden = use !== 'answer';
    byId('type-add', HTMLElement).hidden = use === 'sort';
    byId('type-text-label', HTMLElement).textContent = use === 'answer' ? t.writing.question : t.examples.text;
    byId('type-labels', HTMLElement).replaceChildren(...this.#names().map((value) => el('option', { value })));
    const rows = this.#now;
    byId('type-list', HTMLElement).replaceChildren(
      ...rows
        .map((row, at) => {
          const remove = el('button', { type: 'button', class: 'button quiet small', 'aria-label': t.examples.removeIt(excerpt(row.text, 40)) }, t.examples.remove);
          remove.addEventListener('click', () => {
            rows.splice(at, 1);
            this.#show();
            this.#changed();
            this.#text.focus();
          });
          return el('li', {}, el('p', {}, ...shown(row, use)), remove);
        })
        .reverse(),
    );
    byId('type-note', HTMLElement).textContent = this.#note(rows.length);
  }

  #note(rows: number): string {
    if (this.#use === 'sort') return (rows === 0 ? '' : `${t.examples.typed(rows, this.#names().length)} `) + t.examples.atLeast;
    const many = this.#use === 'write' ? t.writing.typedTexts(rows) : t.writing.typedAnswers(rows);
    return rows === 0 ? t.writing.typedNote : `${many} ${t.writing.typedNote}`;
  }
}

/** A row in the list: with its label before it, or its answer after it. */
function shown({ text, label }: Row, use: Use): (Node | string)[] {
  if (use === 'sort') return [el('b', {}, label), ` ${excerpt(text, 80)}`];
  return use === 'write' ? [excerpt(text, 80)] : [el('b', {}, excerpt(text, 80)), ` ${excerpt(label, 80)}`];
}
