/** What a person has typed, pasted and chosen before a training begins. It is kept on this device, so that a reload loses nothing, and is sent to nobody. */
import type { ColumnState } from './columns.ts';
import { byId, chosen, onChoice } from './dom.ts';
import { bytes } from './format.ts';
import type { OwnPrompt } from './prompt-form.ts';
import type { Row } from './rows.ts';
import { t } from './text.ts';
import type { TypedState } from './typed.ts';

const FILE = 'page-draft.json';
/** The content of the chosen file. */
const CONTENT = 'page-draft-file';
/** The largest file that a draft keeps, in bytes. The copy doubles the space that it takes. */
const MOST_BYTES = 16e6;
/** Milliseconds after the last change. */
const LATER_MS = 400;
/** The groups of choices that a draft keeps. */
const CHOICES = ['source', 'how'] as const;

/** The texts of step 2, and what has been chosen for them. A draft of an earlier version of the page has the first three only. */
export interface DraftTexts {
  /** The tab that is open. */
  readonly source: string;
  readonly pasted: string;
  readonly typed: readonly Row[];
  /** A text that is being typed, and is not among the others yet. */
  readonly typing?: Row;
  /** Texts, and questions with their answers, for a model that writes. */
  readonly typedToWrite?: TypedState['typedToWrite'];
  /** The form in which a model that writes reads the texts. */
  readonly form?: string;
  readonly columns?: ColumnState;
  /** The names of the labels that are chosen with taps, and the texts that have one. */
  readonly later?: { readonly names: string; readonly rows: readonly Row[] };
  readonly prompt?: OwnPrompt;
  /** The share to measure on. */
  readonly share?: string;
}

/** The settings that the person has entered, by the names of their fields, in that order. */
export type DraftSettings = readonly (readonly [name: string, value: string])[];

/** The parts of the page whose state is kept. */
interface Parts {
  readonly texts: DraftTexts;
  readonly settings: DraftSettings;
  /** The sentences to compare. */
  readonly sentences: string;
}

interface Part<T> {
  /** What a draft should keep, if there is anything. */
  readonly read: () => T | undefined;
  /** Forgets what the person has entered. */
  readonly clear: () => void;
}

interface Brought {
  readonly name: string;
  readonly size: number;
}

interface Stored extends Partial<Parts> {
  readonly version: 1;
  readonly file?: Brought;
  readonly choices: Readonly<Partial<Record<string, string>>>;
  readonly hub: string;
  readonly dtype?: string;
}

const NAMES = ['texts', 'settings', 'sentences'] as const satisfies readonly (keyof Parts)[];

export class Draft {
  readonly #parts: { [K in keyof Parts]?: Part<Parts[K]> } = {};
  readonly #line = byId('draft', HTMLElement);
  readonly #dtype = byId('dtype', HTMLSelectElement);
  /** What was stored when the page opened, until its part of the page asks for it. */
  readonly #stored: Promise<Stored | undefined>;
  readonly #taken = new Set<keyof Parts>();
  /** What has been chosen at this visit. */
  readonly #chosen = new Set<(typeof CHOICES)[number]>();
  /** Whether this browser cannot store anything for the page. */
  #unable = false;
  /** The file whose content is stored, one whose content is being stored, and the size of one that is too large for that. */
  #file: Brought | undefined;
  #next: Brought | undefined;
  #tooLarge: number | undefined;
  /** The precision of the weights, if the person has chosen it. */
  #precision: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor() {
    this.#stored = load();
    void root().then((folder) => (this.#unable = folder === undefined));
    void this.#stored.then((stored) => this.#restoreChoices(stored));
    for (const name of CHOICES) onChoice(name, () => (this.#chosen.add(name), this.changed()));
    byId('hub-id', HTMLInputElement).addEventListener('input', () => this.changed());
    this.#dtype.addEventListener('change', () => {
      this.#precision = this.#dtype.value;
      this.changed();
    });
    byId('draft-clear', HTMLButtonElement).addEventListener('click', () => {
      for (const name of NAMES) this.#parts[name]?.clear();
      void this.clear();
    });
    document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && this.#timer !== undefined && this.#write());
  }

  /** Keeps the state of a part from now on. */
  keep<K extends keyof Parts>(name: K, part: Part<Parts[K]>): void {
    Object.assign(this.#parts, { [name]: part });
  }

  /** What an earlier visit left of a part, once. */
  async take<K extends keyof Parts>(name: K): Promise<Parts[K] | undefined> {
    if (this.#taken.has(name)) return undefined;
    const stored: Partial<Parts> | undefined = await this.#stored;
    if (this.#taken.has(name)) return undefined;
    this.#taken.add(name);
    return stored?.[name];
  }

  /** The file of an earlier visit. It is in memory, so that it outlives the draft. */
  async takeFile(): Promise<File | undefined> {
    const { file } = (await this.#stored) ?? {};
    if (file === undefined) return undefined;
    try {
      const content = await (await (await root())?.getFileHandle(CONTENT))?.getFile();
      // If a tab was killed while it stored another file, the stored content belongs to that file.
      if (content?.size !== file.size) return undefined;
      this.#file = file;
      return new File([await content.arrayBuffer()], file.name);
    } catch {
      return undefined;
    }
  }

  /** Keeps this file of texts in place of the last one, unless it is too large. */
  hold(file: File): void {
    const { name, size } = file;
    const isLarge = size > MOST_BYTES;
    const next = isLarge ? undefined : { name, size };
    [this.#file, this.#next, this.#tooLarge] = [undefined, next, isLarge ? size : undefined];
    this.#writing = this.#writing.then(async () => {
      if (isLarge) return remove(CONTENT);
      await write(CONTENT, file);
      // Another file may have been chosen in the meantime.
      if (this.#next === next) this.#file = next;
    }).catch(() => undefined).then(() => {
      if (this.#next === next) this.#next = undefined;
    });
    this.changed();
  }

  /** Something was typed, pasted or chosen. */
  changed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#write(), LATER_MS);
    // The line must always be true, so it is hidden if the open tab has nothing to keep. Its place is reserved at once, so that nothing moves later.
    if (!this.#unable) this.#draw(this.#line.hidden || this.#line.dataset['state'] === 'place' ? 'place' : 'shown');
  }

  /** Deletes the draft. */
  async clear(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const name of NAMES) this.#taken.add(name);
    [this.#file, this.#next, this.#tooLarge, this.#line.hidden] = [undefined, undefined, undefined, true];
    // What is chosen in the meantime is written after this.
    await (this.#writing = this.#writing.then(async () => {
      for (const name of [FILE, CONTENT]) await remove(name).catch(() => undefined);
    }));
  }

  /** Says what is kept of the texts that are shown now. */
  show(): void {
    this.#draw('shown');
  }

  /** Draws the line, or keeps its place. */
  #draw(state: 'shown' | 'place'): void {
    const large = chosen('data') === 'file' ? this.#tooLarge : undefined;
    this.#line.hidden = large === undefined && !this.#holds(this.#parts.texts?.read());
    byId('draft-note', HTMLElement).textContent = large === undefined ? t.draft.kept : t.draft.tooLarge(bytes(large), bytes(MOST_BYTES));
    byId('draft-clear', HTMLElement).hidden = large !== undefined;
    this.#line.dataset['state'] = state;
  }

  /** Whether the open tab has something to keep. */
  #holds(texts: DraftTexts | undefined): boolean {
    const source = chosen('data');
    if (source === 'paste') return texts !== undefined && texts.pasted.trim() !== '';
    if (source === 'type') return texts !== undefined && (texts.typed.length > 0 || texts.typing !== undefined || texts.typedToWrite !== undefined);
    return source === 'file' && (this.#file ?? this.#next) !== undefined;
  }

  #write(): void {
    this.#timer = undefined;
    this.#writing = this.#writing.then(async () => {
      const stored = await this.#stored;
      // A part that was not taken yet is not in its fields either, and stays as it was stored.
      const now = <K extends keyof Parts>(name: K): Partial<Parts> => {
        const value = this.#taken.has(name) ? this.#parts[name]?.read() : (stored as Partial<Parts> | undefined)?.[name];
        return value === undefined ? {} : { [name]: value };
      };
      const file = this.#taken.has('texts') ? this.#file : stored?.file;
      const draft: Stored = {
        version: 1,
        ...now('texts'),
        ...now('settings'),
        ...now('sentences'),
        ...(file === undefined ? {} : { file }),
        choices: Object.fromEntries(CHOICES.map((name) => [name, chosen(name)])),
        hub: byId('hub-id', HTMLInputElement).value,
        ...(this.#precision === undefined ? {} : { dtype: this.#precision }),
      };
      await write(FILE, JSON.stringify(draft));
      this.show();
    }).catch(() => {
      // A draft is a convenience. If there is no space for it, the page works without it.
      this.#draw('place');
    });
  }

  /** Repeats the choices as if the person made them. A choice that the person has made in the meantime stays, and so does a model that is being loaded. */
  #restoreChoices(stored: Stored | undefined): void {
    const hub = byId('hub-id', HTMLInputElement);
    if (stored === undefined || hub.disabled) return;
    if (hub.value === '' && stored.hub !== '') {
      hub.value = stored.hub;
      hub.dispatchEvent(new Event('input'));
    }
    for (const name of CHOICES.filter((each) => !this.#chosen.has(each))) {
      const radio = document.querySelector<HTMLInputElement>(`input[name="${name}"][value="${CSS.escape(stored.choices[name] ?? '')}"]`);
      // A model of the person's own files has to be chosen again.
      if (radio === null || radio.checked || radio.closest('[hidden]') === radio.closest('label')) continue;
      radio.checked = true;
      if (name === 'source') byId('model-choice', HTMLDetailsElement).open = true;
      radio.dispatchEvent(new Event('change'));
    }
    if (stored.dtype === undefined || this.#precision !== undefined) return;
    this.#dtype.value = stored.dtype;
    this.#dtype.dispatchEvent(new Event('change'));
  }
}

async function load(): Promise<Stored | undefined> {
  try {
    const found = JSON.parse(await (await (await (await root())?.getFileHandle(FILE))?.getFile())?.text() ?? '') as Stored;
    return found.version === 1 ? found : undefined;
  } catch {
    return undefined;
  }
}

async function write(name: string, content: string | Blob): Promise<void> {
  const folder = await root();
  if (folder === undefined) throw new Error('this browser stores nothing');
  const writer = await (await folder.getFileHandle(name, { create: true })).createWritable();
  await writer.write(content);
  await writer.close();
}

async function remove(name: string): Promise<void> {
  await (await root())?.removeEntry(name);
}

async function root(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await navigator.storage.getDirectory();
  } catch {
    return undefined;
  }
}
