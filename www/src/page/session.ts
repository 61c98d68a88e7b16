/**
 * The trainings that are kept on this device, until the person deletes them. The package stores the steps
 * of each under its id. A folder of the same name has what another tab needs to use the training and to continue it.
 */
import { PocketError, storage, type Evaluation, type Example } from 'pocketllm';
import { excerpt } from './format.ts';
import { language } from './language.ts';
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
/** The beginning of each id. Records of other names belong to other programs of this site. */
const PREFIX = 'training-';
/** The one training of the page's first version, and the file that was stored for it. */
const OLD = { id: 'page', file: 'page-session.json' };
const NAME_LENGTH = 60;
const DAY_MS = 86_400_000;

type SavedDataset =
  | { kind: 'labelled'; train: Row[]; heldOut: Row[]; template: string; labels: string[]; names: [word: string, label: string][]; own: boolean; folded?: boolean }
  /** Trainings that were stored earlier have no form and no openings. */
  | { kind: 'free'; data: string | Example[]; name: string; own: boolean; form?: Form; openings?: readonly string[] };

/** What is stored about a training besides its examples and its steps. */
export interface About {
  readonly version: 2;
  readonly name: string;
  /** When it began, in milliseconds since 1970. */
  readonly created: number;
  readonly model: ModelChoice;
  readonly modelName: string;
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
  readonly about: About;
  readonly head: RecordHead;
  /** Size on the device in bytes. */
  readonly bytes: number;
  /** When its last step was stored. */
  readonly modified: number;
}

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

/** Stores what has been measured since, and the settings. */
export async function updateTraining(id: string, app: App, settings: Settings): Promise<void> {
  await change(id, ({ name, created, own }) => ({ ...describe(app, settings), name, created, own }));
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
    const { about, record } = (await training(id)) ?? {};
    const taken = record === undefined ? 0 : ((await readHead(record))?.taken ?? 0);
    if (lock !== null && taken === 0 && about?.after === undefined) await deleteTraining(id);
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
    const about = folder === undefined ? undefined : await read<About>(folder, ABOUT);
    const [record, run] = [await storage.run(id).catch(() => undefined), records.get(id)];
    const head = record === undefined ? undefined : await readHead(record).catch(() => undefined);
    // Without a record the training has not begun, or its tab was closed before it could.
    if (folder === undefined || about?.version !== 2 || run === undefined || head === undefined) continue;
    const data = (await folder.getFileHandle(DATA).then((file) => file.getFile(), () => undefined))?.size ?? 0;
    found.push({ id, about, head, bytes: run.bytes + data, modified: run.modified });
  }
  return found.sort((a, b) => b.modified - a.modified);
}

/** The name of a training that is kept. */
export async function trainingName(id: string): Promise<string | undefined> {
  const folder = await folderOf(id).catch(() => undefined);
  return folder === undefined ? undefined : (await read<About>(folder, ABOUT))?.name;
}

/** What is needed to open a training. */
export async function training(id: string): Promise<{ about: About; dataset: Dataset; record: Blob } | undefined> {
  const folder = await folderOf(id).catch(() => undefined);
  if (folder === undefined) return undefined;
  const [about, saved, record] = [await read<About>(folder, ABOUT), await read<SavedDataset>(folder, DATA), await storage.run(id)];
  if (about === undefined || saved === undefined || record === undefined) return undefined;
  return { about, record, dataset: opened(saved) };
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

async function change(id: string, to: (about: About) => About): Promise<void> {
  await guarded(async () => {
    const folder = await folderOf(id);
    const about = await read<About>(folder, ABOUT);
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

async function write(folder: FileSystemDirectoryHandle, name: string, content: unknown): Promise<void> {
  const writer = await (await folder.getFileHandle(name, { create: true })).createWritable();
  // The browser replaces the old file only when the new one is closed.
  await writer.write(JSON.stringify(content));
  await writer.close();
}

async function read<T>(folder: FileSystemDirectoryHandle, name: string): Promise<T | undefined> {
  try {
    return JSON.parse(await (await (await folder.getFileHandle(name)).getFile()).text()) as T;
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
