/**
 * The trainings that are kept on this device, until the person deletes them. The package stores the steps
 * of each under its id. A folder of the same name has what another tab needs to use the training and to continue it. The folder of a
 * training that came with a link has its steps too, and no examples.
 */
import { PocketError, storage, type Evaluation, type Example } from 'pocketllm';
import { excerpt } from './format.ts';
import { language } from './language.ts';
import type { Shared } from './link.ts';
import { readHead, type RecordHead } from './record-head.ts';
import type { Row } from './rows.ts';
import type { Settings } from './settings.ts';
import type { App, Comparison, Dataset, ModelChoice } from './state.ts';
import { lockOf } from './tabs.ts';
import { t } from './text.ts';
import { storedForm, type Form } from './writing.ts';

const FOLDER = 'page-trainings';
const ABOUT = 'about.json';
const DATA = 'data.json';
const RECORD = 'record.pocket';
/** The beginning of each id. Records of other names belong to other programs of this site. */
const PREFIX = 'training-';
/** The one training of the page's first version, and the file that was stored for it. */
const OLD = { id: 'page', file: 'page-session.json' };
const NAME_LENGTH = 60;
const DAY_MS = 86_400_000;

type SavedDataset =
  | { kind: 'labelled'; train: Row[]; heldOut: Row[]; template: string; labels: string[]; names: [word: string, label: string][]; own: boolean; folded?: boolean }
  /** Trainings that were stored earlier have no form and no openings. */
  | { kind: 'free'; data: string | Example[]; name: string; own: boolean; form?: Form; openings?: readonly string[]; ending?: string };

/** What is stored about every training besides its examples and its steps. */
interface Described {
  readonly version: 2;
  readonly name: string;
  /** When it began or was opened, in milliseconds since 1970. */
  readonly created: number;
  readonly model: ModelChoice;
  readonly modelName: string;
}

/** What is stored about a training that came with a link. */
export interface AboutShared extends Described {
  /** The sender's label for each label word. */
  readonly names: readonly (readonly [word: string, label: string])[];
}

/** What is stored about a training of this device. */
export interface About extends Described {
  readonly settings: Settings;
  /** Whether the examples are the person's own. */
  readonly own: boolean;
  /** The evaluation before the first step. It cannot be repeated later. */
  readonly before?: Evaluation;
  /** The evaluation after the last step. */
  readonly after?: Evaluation;
  readonly comparisons: readonly Comparison[];
}

/** A training as the list shows it. */
export interface Kept {
  readonly id: string;
  readonly about: About | AboutShared;
  readonly head: RecordHead;
  /** Size on the device in bytes. */
  readonly bytes: number;
  /** When its last step was stored. */
  readonly modified: number;
}

export const isShared = (about: About | AboutShared): about is AboutShared => 'names' in about;

/** How it was learned. */
export const methodOf = ({ about, head }: Pick<Kept, 'about' | 'head'>): string => (isShared(about) ? head.method : about.settings.method);

/** Whether this browser can store files for the page. Some private windows cannot. */
export const canKeep = async (): Promise<boolean> => (await root()) !== undefined;

/** The id of a new training. */
export const newId = (): string => `${PREFIX}${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;

/** Stores a training before its first step. */
export async function beginTraining(id: string, app: App, dataset: Dataset, settings: Settings): Promise<void> {
  const all = await trainings();
  const others = all.map(({ about }) => about.name);
  // A training that was interrupted may begin again.
  const { name, created } = all.find((each) => each.id === id)?.about ?? { name: unused(defaultName(dataset, Date.now()), others), created: Date.now() };
  const about = { ...describe(app, settings), name, created, own: dataset.own };
  const saved: SavedDataset = dataset.kind === 'labelled' ? { ...dataset, names: [...dataset.names] } : dataset;
  await guarded(async () => {
    const folder = await folderOf(id, true);
    await write(folder, DATA, saved);
    await write(folder, ABOUT, about);
  });
}

/**
 * Keeps a training that came with a link and was opened with this model. A link that is opened again is not kept twice. Returns its id;
 * `undefined` if the browser stores nothing, or has no space left.
 */
export async function keepShared({ record, name, names }: Pick<Shared, 'record' | 'name' | 'names'>, { model, modelName }: App): Promise<string | undefined> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await record.arrayBuffer())).slice(0, 8);
  const id = `${PREFIX}link-${[...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  const others = await trainings();
  if (others.some((each) => each.id === id)) return id;
  try {
    const folder = await folderOf(id, true);
    await write(folder, RECORD, record);
    const about: AboutShared = { version: 2, name: unused(name.trim() || modelName, others.map((each) => each.about.name)), created: Date.now(), model, modelName, names };
    await write(folder, ABOUT, about);
    return id;
  } catch {
    return undefined;
  }
}

/** Stores what has been measured since, and the settings. */
export async function updateTraining(id: string, app: App, settings: Settings): Promise<void> {
  await change(id, (about) => (isShared(about) ? about : { ...describe(app, settings), name: about.name, created: about.created, own: about.own }));
}

export async function renameTraining(id: string, name: string): Promise<void> {
  const trimmed = name.replace(/\s+/g, ' ').trim().slice(0, NAME_LENGTH);
  if (trimmed !== '') await change(id, (about) => ({ ...about, name: trimmed }));
}

/** Deletes the steps and the examples of a training. */
export async function deleteTraining(id: string): Promise<void> {
  await storage.deleteRun(id);
  await (await home())?.removeEntry(id, { recursive: true }).catch(() => undefined);
}

/** Deletes a training that failed before its first step, unless another tab has it by now. */
export async function discardTraining(id: string): Promise<void> {
  await navigator.locks.request(lockOf(id), { ifAvailable: true }, async (lock) => {
    const found = await training(id);
    const taken = found === undefined ? 0 : ((await readHead(found.record))?.taken ?? 0);
    if (lock !== null && taken === 0 && !(found?.kind === 'own' && found.about.after !== undefined)) await deleteTraining(id);
  });
}

/** All trainings on this device, the latest first. */
export async function trainings(): Promise<Kept[]> {
  await migrate();
  const records = new Map((await storage.runs().catch(() => [])).map((run) => [run.name, run]));
  const found: Kept[] = [];
  const known = await ids();
  // These records have no folder, because their tab was killed before it could be written.
  for (const { name, modified } of records.values()) {
    if (name.startsWith(PREFIX) && !known.includes(name) && Date.now() - modified > DAY_MS) await storage.deleteRun(name).catch(() => undefined);
  }
  for (const id of known) {
    const folder = await folderOf(id).catch(() => undefined);
    const about = folder === undefined ? undefined : await read<About | AboutShared>(folder, ABOUT);
    const sent = folder === undefined ? undefined : await fileIn(folder, RECORD);
    const record = sent ?? (await storage.run(id).catch(() => undefined));
    const run = sent === undefined ? records.get(id) : { bytes: sent.size, modified: sent.lastModified };
    const head = record === undefined ? undefined : await readHead(record).catch(() => undefined);
    // Without a record the training has not begun, or its tab was closed before it could.
    if (folder === undefined || about?.version !== 2 || run === undefined || head === undefined) continue;
    const data = (await fileIn(folder, DATA))?.size ?? 0;
    found.push({ id, about, head, bytes: run.bytes + data, modified: run.modified });
  }
  return found.sort((a, b) => b.modified - a.modified);
}

/** The name of a training that is kept. */
export async function trainingName(id: string): Promise<string | undefined> {
  const folder = await folderOf(id).catch(() => undefined);
  return folder === undefined ? undefined : (await read<Described>(folder, ABOUT))?.name;
}

/** What is needed to open a training. One that came with a link has no examples. */
export type Found = { readonly kind: 'own'; readonly about: About; readonly dataset: Dataset; readonly record: Blob } | { readonly kind: 'shared'; readonly about: AboutShared; readonly record: Blob };

export async function training(id: string): Promise<Found | undefined> {
  const folder = await folderOf(id).catch(() => undefined);
  if (folder === undefined) return undefined;
  const about = await read<About | AboutShared>(folder, ABOUT);
  if (about !== undefined && isShared(about)) {
    const record = await fileIn(folder, RECORD);
    return record === undefined ? undefined : { kind: 'shared', about, record };
  }
  const [saved, record] = [await read<SavedDataset>(folder, DATA), await storage.run(id)];
  if (about === undefined || saved === undefined || record === undefined) return undefined;
  return { kind: 'own', about, record, dataset: opened(saved) };
}

/** The examples of a training that is opened. */
const opened = (saved: SavedDataset): Dataset =>
  saved.kind === 'labelled' ? { ...saved, names: new Map(saved.names) } : { ...saved, form: saved.form ?? storedForm(saved.data), openings: saved.openings ?? [] };

function describe({ model, modelName, before, after, comparisons }: App, settings: Settings): Omit<About, 'name' | 'created' | 'own'> {
  const seen = { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
  return { version: 2, model, modelName, settings, ...seen, comparisons };
}

/** The labels and the day, such as "work, family, 28 Nov". */
function defaultName(dataset: Dataset, when: number): string {
  const what = dataset.kind === 'free' ? t.trainings.writing : dataset.own ? excerpt([...dataset.names.values()].join(', '), 32) : t.trainings.sample;
  return `${what}, ${new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short' }).format(when)}`;
}

/** The name, with a number if another training has it. */
function unused(name: string, others: readonly string[]): string {
  for (let at = 1; ; at++) {
    const numbered = at === 1 ? name : `${name} (${at})`;
    if (!others.includes(numbered)) return numbered;
  }
}

async function change(id: string, to: (about: About | AboutShared) => About | AboutShared): Promise<void> {
  await guarded(async () => {
    const folder = await folderOf(id);
    const about = await read<About | AboutShared>(folder, ABOUT);
    // It has been deleted in another tab.
    if (about !== undefined) await write(folder, ABOUT, to(about));
  });
}

/** Brings the one training of the page's first version into the list. */
async function migrate(): Promise<void> {
  const top = await root();
  const file = await top?.getFileHandle(OLD.file).then((handle) => handle.getFile(), () => undefined);
  if (top === undefined || file === undefined) return;
  try {
    const { dataset, ...old } = JSON.parse(await file.text()) as Omit<About, 'version' | 'name' | 'created' | 'own'> & { version: 1; dataset: SavedDataset };
    const folder = await folderOf(OLD.id, true);
    await write(folder, DATA, dataset);
    await write(folder, ABOUT, { ...old, version: 2, name: defaultName(opened(dataset), file.lastModified), created: file.lastModified, own: dataset.own });
    await top.removeEntry(OLD.file);
  } catch {
    // It stays as it is, for the next visit.
  }
}

async function ids(): Promise<string[]> {
  const found: string[] = [];
  const at = await home();
  // TypeScript's library lacks the list of a folder's entries.
  if (at !== undefined) for await (const name of (at as unknown as { keys(): AsyncIterable<string> }).keys()) found.push(name);
  return found;
}

/** Does what writes, with the browser's errors as those of the package. */
async function guarded(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'QuotaExceededError') throw new PocketError('storage-full', t.trainings.full, { cause });
    throw cause;
  }
}

/** Writes a file: a blob as it is, and anything else as JSON. */
async function write(folder: FileSystemDirectoryHandle, name: string, content: unknown): Promise<void> {
  const writer = await (await folder.getFileHandle(name, { create: true })).createWritable();
  // The browser replaces the old file only when the new one is closed.
  await writer.write(content instanceof Blob ? content : JSON.stringify(content));
  await writer.close();
}

const fileIn = async (folder: FileSystemDirectoryHandle, name: string): Promise<File | undefined> => folder.getFileHandle(name).then((file) => file.getFile(), () => undefined);

async function read<T>(folder: FileSystemDirectoryHandle, name: string): Promise<T | undefined> {
  try {
    return JSON.parse((await (await fileIn(folder, name))?.text()) ?? '') as T;
  } catch {
    return undefined;
  }
}

async function folderOf(id: string, create = false): Promise<FileSystemDirectoryHandle> {
  const at = await home(create);
  if (at === undefined) throw new PocketError('storage-full', t.trainings.full);
  return at.getDirectoryHandle(id, { create });
}

async function home(create = false): Promise<FileSystemDirectoryHandle | undefined> {
  const top = await root();
  return create ? top?.getDirectoryHandle(FOLDER, { create }) : top?.getDirectoryHandle(FOLDER).catch(() => undefined);
}

async function root(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await navigator.storage.getDirectory();
  } catch {
    return undefined;
  }
}
