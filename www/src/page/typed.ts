/** The form for typing examples one by one, each with its label. */
import { byId, el } from './dom.ts';
import { excerpt } from './format.ts';
import type { Row } from './rows.ts';
import { t } from './text.ts';

/** The rows, and the one that is being typed. */
interface State {
  readonly typed: readonly Row[];
  readonly typing?: Row;
}

export class TypedRows {
  readonly rows: Row[] = [];
  readonly #text = byId('type-text', HTMLTextAreaElement);
  readonly #label = byId('type-label', HTMLInputElement);
  readonly #changed: () => void;

  /** `changed` is called when a row is added or removed, and `typing` when the fields for the next one have changed. */
  constructor(changed: () => void, typing: () => void) {
    this.#changed = changed;
    for (const field of [this.#text, this.#label]) field.addEventListener('input', typing);
    byId('data-type', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#add();
    });
  }

  /** How many different labels there are. */
  get labels(): number {
    return this.#names().length;
  }

  get isEmpty(): boolean {
    return this.rows.length === 0 && this.#text.value.trim() === '';
  }

  get state(): State {
    const typing = { text: this.#text.value, label: this.#label.value };
    return { typed: this.rows, ...(typing.text.trim() === '' ? {} : { typing }) };
  }

  /** Shows this in place of what was typed. */
  restore({ typed, typing }: State): void {
    this.rows.splice(0, this.rows.length, ...typed);
    [this.#text.value, this.#label.value] = [typing?.text ?? '', typing?.label ?? ''];
    this.#show();
  }

  #names = (): string[] => [...new Set(this.rows.map(({ label }) => label))];

  #add(): void {
    const [text, label] = [this.#text, this.#label];
    const empty = [text, label].find(({ value }) => value.trim() === '');
    for (const field of [text, label]) field.setAttribute('aria-invalid', String(field === empty));
    if (empty !== undefined) {
      empty.focus();
      return;
    }
    this.rows.push({ text: text.value.trim(), label: label.value.trim() });
    text.value = '';
    text.focus();
    this.#show();
    this.#changed();
  }

  #show(): void {
    byId('type-labels', HTMLElement).replaceChildren(...this.#names().map((value) => el('option', { value })));
    byId('type-list', HTMLElement).replaceChildren(
      ...this.rows
        .map((row, at) => {
          const remove = el('button', { type: 'button', class: 'button quiet small', 'aria-label': t.examples.removeIt(excerpt(row.text, 40)) }, t.examples.remove);
          remove.addEventListener('click', () => {
            this.rows.splice(at, 1);
            this.#show();
            this.#changed();
            this.#text.focus();
          });
          return el('li', {}, el('p', {}, el('b', {}, row.label), ` ${excerpt(row.text, 80)}`), remove);
        })
        .reverse(),
    );
    const said = this.rows.length === 0 ? '' : `${t.examples.typed(this.rows.length, this.labels)} `;
    byId('type-note', HTMLElement).textContent = said + t.examples.atLeast;
  }
}
