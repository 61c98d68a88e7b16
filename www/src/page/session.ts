/**
 * What a training needs to continue in another tab. It is stored beside the training record, on
 * this device only, until the person deletes it.
 */
import { storage, type Evaluation, type Example } from 'pocketllm';
import type { App, Comparison, Dataset, ModelChoice } from './state.ts';
import type { Settings } from './settings.ts';
import type { Row } from './rows.ts';

/** The name under which the steps of the run are stored. */
export const RUN = 'page';
const FILE = 'page-session.json';

export type SavedDataset =
  | { kind: 'labelled'; train: Row[]; heldOut: Row[]; template: string; labels: string[]; names: [word: string, label: string][]; own: boolean; folded?: boolean }
  | { kind: 'free'; data: string | Example[]; name: string; own: boolean };

export interface Session {
  readonly version: 1;
  readonly model: ModelChoice;
  readonly modelName: string;
  readonly dataset: SavedDataset;
  readonly settings: Settings;
  /** The evaluation before the first step. It cannot be repeated later. */
  readonly before?: Evaluation;
  /** The evaluation after all examples have been learned quickly. Without it, that was interrupted. */
  readonly after?: Evaluation;
  readonly comparisons: readonly Comparison[];
}

/** Whether this browser can store files for the page. Some private windows cannot. */
export const canKeep = async (): Promise<boolean> => (await root()) !== undefined;

/** Saves the session or throws, because without it a run could not be continued. */
export async function saveSession(session: Session): Promise<void> {
  const folder = await root();
  if (folder === undefined) return;
  const writer = await (await folder.getFileHandle(FILE, { create: true })).createWritable();
  // The browser replaces the old file only when the new one is closed.
  await writer.write(JSON.stringify(session));
  await writer.close();
}

/** The saved training, if there is one. */
export async function savedSession(): Promise<{ session: Session; record: Blob; modified: number } | undefined> {
  try {
    const file = await (await (await root())?.getFileHandle(FILE))?.getFile();
    const [run] = (await storage.runs()).filter(({ name }) => name === RUN);
    const record = await storage.run(RUN);
    if (file === undefined || run === undefined || record === undefined) return undefined;
    const session = JSON.parse(await file.text()) as Session;
    return session.version === 1 ? { session, record, modified: run.modified } : undefined;
  } catch {
    // There is none, or the tab was closed before its run began.
    return undefined;
  }
}

export async function forgetSession(): Promise<void> {
  await storage.deleteRun(RUN);
  await (await root())?.removeEntry(FILE).catch(() => undefined);
}

async function root(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await navigator.storage.getDirectory();
  } catch {
    return undefined;
  }
}

/** What another tab needs to continue the run. */
export function sessionOf({ model, modelName, before, after, comparisons }: App, dataset: Dataset, settings: Settings): Session {
  const saved = dataset.kind === 'labelled' ? { ...dataset, names: [...dataset.names] } : dataset;
  const seen = { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
  return { version: 1, model, modelName, dataset: saved, settings, ...seen, comparisons };
}
