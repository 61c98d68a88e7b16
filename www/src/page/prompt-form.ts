/** How the model is asked for a label: the word that stands for each label, the sentence around a text, and how the model sees it. */
import { byId, el } from './dom.ts';
import { excerpt } from './format.ts';
import { oneOfEach, type Parsed, type Row } from './rows.ts';
import { sampleNow, SAMPLES } from './samples.ts';
import { t } from './text.ts';

/** Examples that are shown. */
const SHOWN = 3;

/** What a person has changed of the proposed words and sentence. */
export interface OwnPrompt {
  /** The word of each of these labels. */
  readonly words: readonly (readonly [label: string, word: string])[];
  /** The person's sentence, and the proposed one that it replaces. */
  readonly sentence?: { readonly own: string; readonly proposed: string };
}

type Labelled = Parsed & { kind: 'labelled' };

export class PromptForm {
  readonly view = byId('prompt-view', HTMLDetailsElement);
  readonly #template = byId('template', HTMLInputElement);
  readonly #changed: () => void;
  readonly #words = new Map<string, string>();
  #sentence: OwnPrompt['sentence'];
  #proposed = '';
  #rows: readonly Row[] = [];
  #causal = false;

  /** `changed` is called when the person changes a word or the sentence. */
  constructor(changed: () => void) {
    this.#changed = changed;
    this.#template.addEventListener('input', () => {
      this.#sentence = { own: this.#template.value, proposed: this.#proposed };
      this.#preview();
      changed();
    });
  }

  /** Shows how the labels of some examples are asked for. `causal` says that the model continues a text, and so answers at its end. */
  show(labels: Labelled['labels'], rows: readonly Row[], causal: boolean): void {
    [this.#rows, this.#causal, this.#proposed] = [rows, causal, proposal(rows, causal)];
    this.#template.value = this.#sentence?.proposed === this.#proposed ? this.#sentence.own : this.#proposed;
    byId('template-note', HTMLElement).textContent = causal ? t.examples.templateEnd : t.examples.templateMask;
    byId('label-rows', HTMLElement).replaceChildren(...[...labels.keys()].map((label, at) => this.#word(label, at)));
    this.#preview();
  }

  /** The word for a label. */
  word(label: string): string {
    return this.#words.get(label) ?? label.toLowerCase();
  }

  /** The sentence around a text. */
  get template(): string {
    return this.#template.value.trim();
  }

  set template(sentence: string) {
    this.#template.value = sentence;
    this.#preview();
  }

  /** What the person has changed, if there is anything. */
  get own(): OwnPrompt | undefined {
    if (this.#words.size === 0 && this.#sentence === undefined) return undefined;
    return { words: [...this.#words], ...(this.#sentence === undefined ? {} : { sentence: this.#sentence }) };
  }

  /** Takes what the person has changed at an earlier visit, or forgets all changes. */
  restore({ words, sentence }: OwnPrompt = { words: [] }): void {
    this.#words.clear();
    for (const [label, word] of words) this.#words.set(label, word);
    this.#sentence = sentence;
  }

  #word(label: string, at: number): HTMLElement {
    const input = el('input', {
      type: 'text',
      id: `word-${at}`,
      value: this.word(label),
      spellcheck: 'false',
      autocapitalize: 'off',
      autocomplete: 'off',
      'aria-label': t.examples.wordFor(label),
    });
    input.addEventListener('input', () => {
      this.#words.set(label, input.value.trim());
      this.#preview();
      this.#changed();
    });
    return el('div', { class: 'label-row' }, el('b', {}, label), input);
  }

  #preview(): void {
    byId('preview', HTMLElement).replaceChildren(...oneOfEach(this.#rows, SHOWN).map((row) => el('li', {}, ...this.#filled(row))));
  }

  /** The sentence for a row, with the expected answer in its place. */
  #filled(row: Row): Node[] {
    const answer = el('span', { class: 'blank' }, this.word(row.label) || '?');
    const parts = this.#template.value.split(/(\{text\}|\{text_b\}|\[MASK\])/);
    const nodes = parts.map((part): Node => {
      if (part === '{text}') return new Text(excerpt(row.text, 110));
      if (part === '{text_b}') return new Text(excerpt(row.text_b ?? '', 60));
      return part === '[MASK]' ? answer : new Text(part);
    });
    return this.#causal ? [...nodes, new Text(' '), answer] : nodes;
  }
}

/** The sentence that is proposed. */
function proposal(rows: readonly Row[], causal: boolean): string {
  const sample = sampleNow();
  const around = sample === undefined ? undefined : SAMPLES[sample].around;
  if (around !== undefined) return causal ? around.causal : around.masked;
  const pairs = rows.some(({ text_b }) => text_b !== undefined);
  if (causal) return pairs ? '{text} {text_b} It was' : '{text} It was';
  return pairs ? '{text} ? [MASK] , {text_b}' : '{text} It was [MASK] .';
}
