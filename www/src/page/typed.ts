/** The form for typing examples one by one, each with its label. */
import { byId, el } from './dom.ts';
import { excerpt } from './format.ts';
import type { Row } from './rows.ts';
import { t } from './text.ts';

export class TypedRows {
  readonly rows: Row[] = [];
  readonly #changed: () => void;

  /** `changed` is called when a row is added or removed. */
  constructor(changed: () => void) {
    this.#changed = changed;
    byId('data-type', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#add();
    });
  }

  /** How many different labels there are. */
  get labels(): number {
    return this.#names().length;
  }

  /** Shows these rows in place of what was typed. */
  replace(rows: readonly Row[]): void {
    this.rows.splice(0, this.rows.length, ...rows);
    this.#show();
  }

  #names = (): string[] => [...new Set(this.rows.map(({ label }) => label))];

  #add(): void {
    const text = byId('type-text', HTMLTextAreaElement);
    const label = byId('type-label', HTMLInputElement);
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
            byId('type-text', HTMLTextAreaElement).focus();
          });
          return el('li', {}, el('p', {}, el('b', {}, row.label), ` ${excerpt(row.text, 80)}`), remove);
        })
        .reverse(),
    );
    const said = this.rows.length === 0 ? '' : `${t.examples.typed(this.rows.length, this.labels)} `;
    byId('type-note', HTMLElement).textContent = said + t.examples.atLeast;
    this.#changed();
  }
}
