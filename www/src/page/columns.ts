/**
 * How the engine understood the columns of some data, and questions if it is not certain: which column is the text, and
 * which one is the label.
 */
import type { Layout, ReadOptions } from 'pocketllm';
import { byId, el } from './dom.ts';
import { excerpt } from './format.ts';
import { t } from './text.ts';

/** The answers: columns by their number from 1. A label of `later` is chosen for each text by hand; `none` is for running text. */
interface Answers {
  text?: string;
  label?: string;
}

export class ColumnQuestions {
  #answers: Answers = {};
  readonly #view = byId('columns', HTMLElement);
  readonly #changed: () => void;

  /** `changed` is called when a person answers. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Forgets the answers, because the data have changed. */
  reset(): void {
    this.#answers = {};
    this.#view.replaceChildren();
    this.#view.hidden = true;
  }

  /** Whether the person wants the data as running text to write from. */
  get isProse(): boolean {
    return this.#answers.label === 'none';
  }

  /** The answers as options of `readRows`. */
  get wanted(): Omit<ReadOptions, 'name'> {
    const { text, label } = this.#answers;
    const textColumn = text === undefined ? {} : { textColumn: text };
    if (label === undefined || label === 'none') return textColumn;
    return label === 'later' ? { ...textColumn, unlabeled: true } : { ...textColumn, labelColumn: label };
  }

  /** Shows what was understood. `causal` offers to take the data as running text. */
  show(layout: Layout | undefined, causal: boolean): void {
    this.#view.hidden = layout === undefined;
    if (layout === undefined) return;
    const unsure = layout.certainty === 'unsure';
    const number = (index: number | undefined): string => (index === undefined ? '' : String(index + 1));
    const columns = layout.columns.map(({ name, samples }, at) => ({ value: number(at), name, sample: samples.map((sample) => excerpt(sample, 40)).join(' · ') }));
    const text = this.#answers.text ?? number(layout.text);
    const others = columns.filter(({ value }) => value !== text);
    const later = { value: 'later', name: t.examples.noColumn, sample: t.examples.byHand };
    const none = { value: 'none', name: t.examples.noColumn, sample: t.examples.runningText };
    // An uncertain proposal is not preselected.
    const label = this.#answers.label ?? (unsure ? '' : number(layout.label));
    const questions = [
      this.#question('text', t.examples.whichText, columns, text),
      this.#question('label', t.examples.whichLabel, [...others, causal ? none : later], label),
    ];
    const open = unsure || this.#answers.text !== undefined || this.#answers.label !== undefined;
    const place = el('details', open ? { open: '' } : {}, el('summary', {}, t.examples.otherColumns), ...questions);
    this.#view.replaceChildren(
      ...(unsure && this.#answers.label === undefined
        ? [el('p', { class: 'asked' }, t.examples.whichColumns), ...questions]
        : [el('p', { class: 'note', role: 'status' }, layout.understood), place]),
    );
  }

  #question(name: 'text' | 'label', legend: string, choices: readonly { value: string; name: string; sample: string }[], chosen: string): HTMLElement {
    const items = choices.map((choice) => {
      const input = el('input', { type: 'radio', name: `column-${name}`, value: choice.value, ...(choice.value === chosen ? { checked: '' } : {}) });
      input.addEventListener('change', () => {
        this.#answers[name] = choice.value;
        // The text's column cannot have the labels too.
        if (name === 'text' && this.#answers.label === choice.value) delete this.#answers.label;
        this.#changed();
      });
      return el('label', { class: 'choice' }, input, el('span', { class: 'choice-name' }, choice.name), el('span', { class: 'choice-note' }, choice.sample));
    });
    return el('fieldset', {}, el('legend', {}, legend), el('div', { class: 'choices' }, ...items));
  }
}
