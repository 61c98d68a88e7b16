/** Says how data to write from were understood, shows some of them as they were read, and lets a person choose the form in which a model reads questions and answers. */
import { byId, el } from './dom.ts';
import { excerpt } from './format.ts';
import type { Dataset } from './state.ts';
import { t } from './text.ts';
import { formFor, spoken, type Form, type Writing } from './writing.ts';

/** Examples that are shown, and turns of each. */
const SHOWN = 2;
const TURNS = 4;
const LENGTH = 200;

export class ReadAs {
  readonly #view = byId('read-as', HTMLElement);
  readonly #field = byId('form-field', HTMLElement);
  readonly #select = byId('form', HTMLSelectElement);
  #writing: Writing | undefined;
  /** The form of data that cannot be put into another one. */
  #fixed: Form | undefined;
  #chats = false;

  /** `changed` is called when a person chooses another form. */
  constructor(changed: () => void) {
    this.#select.addEventListener('change', () => {
      this.#draw();
      changed();
    });
  }

  /** The form in which the model reads the data. */
  get form(): Form {
    if (this.#fixed !== undefined) return this.#fixed;
    return this.#select.value === 'joined' ? 'joined' : this.#chats ? 'chat' : 'transcript';
  }

  /** Shows the data. `chats` says that the model has a chat template. Those of a training that was opened have their form already. */
  show(writing: Writing | undefined, chats: boolean, opened: Dataset | undefined): void {
    this.#view.hidden = writing === undefined;
    this.#field.hidden = writing?.as !== 'answers' || opened !== undefined;
    if (writing === undefined) return;
    const proposed = formFor(writing, chats);
    [this.#writing, this.#chats] = [writing, chats];
    this.#fixed = opened?.kind === 'free' ? opened.form : writing.as === 'answers' ? undefined : proposed;
    this.#select.value = proposed === 'joined' ? 'joined' : 'turns';
    this.#draw();
  }

  #draw(): void {
    const writing = this.#writing;
    if (writing === undefined) return;
    byId('read-as-said', HTMLElement).textContent = this.#said(writing);
    byId('read-as-shown', HTMLElement).replaceChildren(...this.#shown(writing));
    byId('form-note', HTMLElement).textContent = this.form === 'joined' ? t.writing.formJoined : this.form === 'chat' ? t.writing.formChat : t.writing.formTranscript;
  }

  #said(writing: Writing): string {
    if (writing.as === 'text') return t.writing.readAsText;
    if (writing.as === 'answers') return t.writing.readAsAnswers(writing.rows.length);
    return `${t.writing.readAsChats(writing.rows.length)} ${this.form === 'chat' ? t.writing.formChat : t.writing.formTranscript}`;
  }

  #shown(writing: Writing): HTMLElement[] {
    if (writing.as === 'text') {
      const paragraphs = writing.text.split(/\n\s*\n/, SHOWN + 1).filter((each) => each.trim() !== '').slice(0, SHOWN);
      return paragraphs.map((text) => el('p', { class: 'as-read', dir: 'auto' }, excerpt(text, LENGTH)));
    }
    if (writing.as === 'chats') {
      const names: Readonly<Record<string, string>> = { user: t.writing.question, assistant: t.writing.answer };
      return writing.rows.slice(0, SHOWN).map(({ messages }) => turns(messages.slice(0, TURNS).map((each) => [names[each.role] ?? each.role, spoken(each)])));
    }
    const rows = writing.rows.slice(0, SHOWN);
    // Joined, they are shown as the one text that they become.
    if (this.form === 'joined') return rows.map(({ prompt, completion }) => el('p', { class: 'as-read', dir: 'auto' }, excerpt(prompt, LENGTH), el('mark', {}, completion.slice(0, LENGTH))));
    return rows.map(({ prompt, completion }) => turns([[t.writing.question, prompt], [t.writing.answer, completion]]));
  }
}

/** Says what a model of this kind learns from, beside the fields where a person brings it. */
export function explainSources(writes: boolean): void {
  const paste = byId('paste-input', HTMLTextAreaElement);
  paste.placeholder = writes ? t.writing.placeholder : t.examples.placeholder;
  byId('paste-note', HTMLElement).textContent = writes ? t.writing.pastedNote : t.examples.pastedNote;
}

/** An example, with who says what. */
const turns = (all: readonly (readonly [who: string, text: string])[]): HTMLElement =>
  el('dl', { class: 'as-read' }, ...all.flatMap(([who, text]) => [el('dt', {}, who), el('dd', { dir: 'auto' }, excerpt(text, LENGTH))]));
