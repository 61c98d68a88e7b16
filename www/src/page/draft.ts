/** What a person has typed, pasted and chosen before a training begins. It is kept on this device, so that a reload loses nothing, and is sent to nobody. */
import { byId, chosen, onChoice } from './dom.ts';
import type { Row } from './rows.ts';

const FILE = 'page-draft.json';
/** Milliseconds after the last change. */
const LATER_MS = 400;
/** The groups of choices that a draft keeps. */
const CHOICES = ['source', 'how', 'length'] as const;

/** The texts of step 2, and where they stand. */
export interface DraftTexts {
  readonly source: string;
  readonly pasted: string;
  readonly typed: readonly Row[];
}

interface Stored {
  readonly version: 1;
  readonly texts?: DraftTexts;
  readonly choices: Readonly<Partial<Record<string, string>>>;
  readonly hub: string;
}

const isEmpty = ({ pasted, typed }: DraftTexts): boolean => pasted.trim() === '' && typed.length === 0;

export class Draft {
  readonly #read: () => DraftTexts;
  readonly #line = byId('draft', HTMLElement);
  /** What was stored when the page opened. Its texts wait until they are asked for. */
  readonly #stored: Promise<Stored | undefined>;
  #taken = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** `texts` reads the fields; `cleared` empties them. */
  constructor(texts: () => DraftTexts, cleared: () => void) {
    this.#read = texts;
    this.#stored = load();
    void this.#stored.then(restoreChoices);
    for (const name of CHOICES) onChoice(name, () => this.changed());
    byId('hub-id', HTMLInputElement).addEventListener('input', () => this.changed());
    byId('draft-clear', HTMLButtonElement).addEventListener('click', () => {
      cleared();
      void this.clear();
    });
    document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && this.#timer !== undefined && this.#write());
  }

  /** The texts of an earlier visit, once. */
  async take(): Promise<DraftTexts | undefined> {
    if (this.#taken) return undefined;
    const stored = await this.#stored;
    this.#taken = true;
    if (stored?.texts === undefined || isEmpty(stored.texts)) return undefined;
    this.#line.hidden = false;
    return stored.texts;
  }

  /** Something was typed, pasted or chosen. */
  changed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#write(), LATER_MS);
  }

  /** Deletes the draft: the training that begins has its texts. */
  async clear(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#taken = true;
    this.#line.hidden = true;
    await this.#writing;
    await (await root())?.removeEntry(FILE).catch(() => undefined);
  }

  #write(): void {
    this.#timer = undefined;
    this.#writing = this.#writing.then(async () => {
      const folder = await root();
      if (folder === undefined) return;
      // Until the texts of the last visit are in their fields, these are empty.
      const texts = this.#taken ? this.#read() : ((await this.#stored)?.texts ?? this.#read());
      const choices = Object.fromEntries(CHOICES.map((name) => [name, chosen(name)]));
      const draft: Stored = { version: 1, ...(isEmpty(texts) ? {} : { texts }), choices, hub: byId('hub-id', HTMLInputElement).value };
      const writer = await (await folder.getFileHandle(FILE, { create: true })).createWritable();
      await writer.write(JSON.stringify(draft));
      await writer.close();
      this.#line.hidden = isEmpty(texts);
      // A draft is a convenience. Where there is no space for it, the page works without.
    }).catch(() => undefined);
  }
}

/** Chooses again what was chosen, as if the person did it. */
function restoreChoices(stored: Stored | undefined): void {
  if (stored === undefined) return;
  const hub = byId('hub-id', HTMLInputElement);
  if (hub.value === '' && stored.hub !== '') {
    hub.value = stored.hub;
    hub.dispatchEvent(new Event('input'));
  }
  for (const name of CHOICES) {
    const radio = document.querySelector<HTMLInputElement>(`input[name="${name}"][value="${CSS.escape(stored.choices[name] ?? '')}"]`);
    // A model of the person's own files has to be chosen again.
    if (radio === null || radio.checked || radio.closest('[hidden]') === radio.closest('label')) continue;
    radio.checked = true;
    if (name === 'source') byId('model-choice', HTMLDetailsElement).open = true;
    radio.dispatchEvent(new Event('change'));
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

async function root(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await navigator.storage.getDirectory();
  } catch {
    return undefined;
  }
}
