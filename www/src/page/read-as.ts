/** Says how data to write from were understood, shows some of them as they were read, and lets a person choose another form in which the model reads them. */
import { byId, el } from './dom.ts';
import { excerpt } from './format.ts';
import type { Dataset } from './state.ts';
import { t } from './text.ts';
import { formFor, linesOf, spoken, type Form, type Writing } from './writing.ts';

/** The number of examples that are shown, and of turns of each. */
const SHOWN = 2;
const TURNS = 4;
const LENGTH = 200;

/**
 * The forms that a person chooses from. A question and its answer are turns of a conversation, or are joined into one text. Rows and lines
 * are separate texts, or one running text.
 */
const WAYS = ['turns', 'joined', 'apart', 'running'] as const;
type Way = (typeof WAYS)[number];

export class ReadAs {
  readonly #view = byId('read-as', HTMLElement);
  readonly #field = byId('form-field', HTMLElement);
  readonly #select = byId('form', HTMLSelectElement);
  #writing: Writing | undefined;
  /** The form of the data of a training that was opened. */
  #opened: Form | undefined;
  #chats = false;
  /** What the person has chosen, for a draft. */
  own: string | undefined;

  /** `changed` is called when a person chooses another form. */
  constructor(changed: () => void) {
    this.#select.addEventListener('change', () => {
      this.own = this.#select.value;
      this.#draw();
      changed();
    });
  }

  /** The form in which the model reads the data. */
  get form(): Form {
    if (this.#opened !== undefined) return this.#opened;
    const { writing } = this;
    if (writing?.as === 'answers') return this.#way === 'joined' ? 'joined' : this.#chats ? 'chat' : 'transcript';
    return writing === undefined ? 'joined' : formFor(writing, this.#chats);
  }

  /** The data in the form that was chosen. */
  get writing(): Writing | undefined {
    const given = this.#writing;
    if (given?.as === 'text' && this.#way === 'apart') return { as: 'texts', rows: linesOf(given.text) };
    if (given?.as === 'texts' && this.#way === 'running') return { as: 'text', text: given.rows.join('\n\n') };
    return given;
  }

  get #way(): Way | undefined {
    return WAYS.find((way) => way === this.#select.value);
  }

  /** Shows the data. `chats` says that the model has a chat template. The data of an opened training already have their form. */
  show(writing: Writing | undefined, chats: boolean, opened: Dataset | undefined): void {
    this.#view.hidden = writing === undefined;
    if (writing === undefined) return;
    [this.#writing, this.#chats] = [writing, chats];
    this.#opened = opened?.kind === 'free' ? opened.form : undefined;
    const ways = opened === undefined ? waysOf(writing) : [];
    const names: Readonly<Record<Way, string>> = { turns: t.writing.formTurns, joined: t.writing.formOne, apart: t.writing.formApart, running: t.writing.formRunning };
    this.#select.replaceChildren(...ways.map((way) => el('option', { value: way }, names[way])));
    this.#field.hidden = ways.length < 2;
    const proposed = writing.as === 'answers' && formFor(writing, chats) === 'joined' ? 'joined' : ways[0];
    const chosen = ways.find((way) => way === this.own) ?? proposed;
    if (chosen !== undefined) this.#select.value = chosen;
    byId('form-label', HTMLElement).textContent = writing.as === 'answers' ? t.writing.form : t.writing.formOfTexts;
    this.#draw();
  }

  #draw(): void {
    const { writing } = this;
    if (writing === undefined) return;
    byId('read-as-said', HTMLElement).textContent = this.#said(writing);
    byId('read-as-shown', HTMLElement).replaceChildren(...this.#shown(writing));
    byId('form-note', HTMLElement).textContent = this.#note(writing);
  }

  #said(writing: Writing): string {
    if (writing.as === 'text') return t.writing.readAsText;
    if (writing.as === 'texts') return t.writing.readAsTexts(writing.rows.length);
    if (writing.as === 'answers') return t.writing.readAsAnswers(writing.rows.length);
    return `${t.writing.readAsChats(writing.rows.length)} ${this.form === 'chat' ? t.writing.formChat : t.writing.formTranscript}`;
  }

  #note({ as }: Writing): string {
    if (as === 'text') return t.writing.runningNote;
    if (as === 'texts') return t.writing.apartNote;
    return this.form === 'joined' ? t.writing.formJoined : this.form === 'chat' ? t.writing.formChat : t.writing.formTranscript;
  }

  #shown(writing: Writing): HTMLElement[] {
    if (writing.as === 'text' || writing.as === 'texts') {
      const texts = writing.as === 'texts' ? writing.rows.slice(0, SHOWN + 1) : writing.text.split(/\n\s*\n/, SHOWN + 1).filter((each) => each.trim() !== '').slice(0, SHOWN);
      return texts.map((text) => el('p', { class: 'as-read', dir: 'auto' }, excerpt(text, LENGTH)));
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

/** The forms that data may take, the usual one first. */
function waysOf(writing: Writing): Way[] {
  if (writing.as === 'answers') return ['turns', 'joined'];
  if (writing.as === 'texts') return ['apart', 'running'];
  return writing.as === 'text' && linesOf(writing.text).length > 1 ? ['running', 'apart'] : [];
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
