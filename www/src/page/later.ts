/** Labels that are chosen for texts one by one, with a tap on each. */
import { byId, el } from './dom.ts';
import { excerpt, joined } from './format.ts';
import type { Row } from './rows.ts';
import { t } from './text.ts';

/** The maximum number of texts to label by hand. */
const TEXTS = 200;

export class LabelsForTexts {
  #texts: readonly string[] = [];
  /** The number of all texts, of which the first are shown. */
  #all = 0;
  readonly #labels = new Map<number, string>();
  /** Rows of an earlier visit whose texts have not been shown yet. */
  #restored: readonly Row[] = [];
  readonly #view = byId('later', HTMLElement);
  readonly #input = byId('later-labels', HTMLInputElement);
  readonly #changed: () => void;

  /** `changed` is called when a label was chosen. */
  constructor(changed: () => void) {
    this.#changed = changed;
    this.#input.addEventListener('input', () => this.#draw());
  }

  hide(): void {
    this.#view.hidden = true;
  }

  /** Shows the texts. Labels that were chosen for the same texts are kept. */
  show(texts: readonly string[]): void {
    this.#view.hidden = false;
    const shown = texts.slice(0, TEXTS);
    this.#all = texts.length;
    if (shown.join('\n') === this.#texts.join('\n')) this.#note();
    else {
      this.#texts = shown;
      this.#labels.clear();
      this.#restoreLabels();
      this.#draw();
    }
  }

  /** The names of the labels and the texts that have one, if there are any. */
  get state(): { names: string; rows: Row[] } | undefined {
    const names = this.#input.value;
    return names.trim() === '' ? undefined : { names, rows: this.rows };
  }

  /** Takes the labels of an earlier visit, or forgets all. */
  restore({ names, rows }: { names: string; rows: readonly Row[] } = { names: '', rows: [] }): void {
    this.#input.value = names;
    this.#restored = rows;
    this.#texts = [];
    this.#labels.clear();
  }

  /** The rows are in the order of the texts, some of which may be equal. */
  #restoreLabels(): void {
    let from = 0;
    for (const { text, label } of this.#restored) {
      const at = this.#texts.indexOf(text, from);
      if (at < 0) continue;
      this.#labels.set(at, label);
      from = at + 1;
    }
    this.#restored = [];
  }

  /** The texts that have a label. */
  get rows(): Row[] {
    return this.#texts.flatMap((text, at) => {
      const label = this.#labels.get(at);
      return label === undefined ? [] : [{ text, label }];
    });
  }

  #names = (): string[] => [...new Set(this.#input.value.split(/[,，、]/).map((name) => name.trim()).filter((name) => name !== ''))];

  #draw(): void {
    const names = this.#names();
    for (const [at, label] of this.#labels) if (!names.includes(label)) this.#labels.delete(at);
    const item = (text: string, at: number): HTMLElement => {
      const chips = names.map((name) => {
        const chip = el('button', { type: 'button', class: 'button quiet small', 'aria-pressed': String(this.#labels.get(at) === name) }, name);
        chip.addEventListener('click', () => {
          if (this.#labels.get(at) === name) this.#labels.delete(at);
          else this.#labels.set(at, name);
          for (const each of chips) each.setAttribute('aria-pressed', String(this.#labels.get(at) === each.textContent));
          this.#note();
          this.#changed();
        });
        return chip;
      });
      return el('li', {}, el('p', {}, excerpt(text, 160)), el('div', { class: 'chips' }, ...chips));
    };
    byId('later-list', HTMLElement).replaceChildren(...(names.length < 2 ? [] : this.#texts.map(item)));
    this.#note();
    this.#changed();
  }

  #note(): void {
    const [shown, all] = [this.#texts.length, this.#all];
    byId('later-note', HTMLElement).textContent = joined([
      this.#names().length < 2 ? t.examples.unlabeled(all) : t.examples.labeled(this.#labels.size, shown),
      ...(shown < all ? [t.examples.onlyFirst(shown, all)] : []),
    ]);
  }
}
