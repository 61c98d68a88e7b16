/** Models whose layers stay in the browser's storage and are read in each pass: remembers which ones, and offers this when memory is short. */
import { PocketError, storage, type MemoryPlan } from 'pocketllm';
import { placeOf } from './built-in.ts';
import { memoryName } from './device.ts';
import { announce, byId, el } from './dom.ts';
import { joined } from './format.ts';
import { accessToken, loadModel, nameOf, showFacts, stageName } from './loading.ts';
import { plan, writes, type Subject } from './plan.ts';
import { showProblem } from './problem.ts';
import { tryMemory } from './probe.ts';
import { canKeep } from './session.ts';
import type { App, Flow, Held, ModelChoice, Sizes } from './state.ts';
import { t } from './text.ts';

/** The storage key for how models were held last, for models whose layers have been streamed at some time. */
const NAME = 'streamed-models';

type Files = readonly File[];

/** The same for this visit, where the browser stores nothing. */
const chosen = new Map<string, Held>();

/** How the person held this model last, if its layers have been streamed at some time. */
export function recall(model: ModelChoice, files: Files): Held | undefined {
  const key = keyOf(model, files);
  return chosen.get(key) ?? stored()[key];
}

/** Holds the model in this way when it is loaded the next time. */
export function remember(model: ModelChoice, files: Files): void {
  const { dtype, streamed = false } = model;
  if (!streamed && recall(model, files) === undefined) return;
  chosen.set(keyOf(model, files), { dtype, streamed });
  try {
    localStorage.setItem(NAME, JSON.stringify({ ...stored(), ...Object.fromEntries(chosen) }));
  } catch {
    // The choice is then remembered until the page is left.
  }
}

/** The model of an earlier training. Its layers are streamed if the person chose that last, unless its training changes the layers. */
export function heldAgain(model: ModelChoice, files: Files, method: string): ModelChoice {
  return { ...model, streamed: method !== 'full' && (recall(model, files) ?? model).streamed === true };
}

/** Whether the cause is a lack of memory. When memory is short, some systems take the GPU away. */
export const isShort = (error: unknown): boolean => error instanceof PocketError && ['out-of-memory', 'device-lost', 'limit-exceeded'].includes(error.code);

/** What is offered, and where. */
export interface Offer {
  readonly subject: Subject;
  /** How the model's weights are held now, and how they would be if the person agrees. */
  readonly from: Held;
  readonly to: Held;
  /** The memory plan for how they are held now, if there already is one. */
  readonly planned?: MemoryPlan;
  /** Bytes of storage, if less is free than the browser says. */
  readonly free?: number;
  /** Whether to try the memory. That says nothing while a model is loaded. */
  readonly tries: boolean;
  readonly signal: AbortSignal;
  readonly go: () => void;
}

/** Offers, below what is in `place`, to keep the layers in storage, or says why that does not help. */
export async function offerStreaming(place: HTMLElement, offer: Offer): Promise<void> {
  const words = el('p', {}, t.tasks.checking);
  const box = el('div', { class: 'space' }, words);
  place.append(box);
  try {
    const { sentences, works } = await weighed(offer);
    if (offer.signal.aborted || sentences.length === 0) {
      box.remove();
      return;
    }
    words.textContent = joined(sentences);
    announce(joined(sentences));
    if (works) {
      const button = el('button', { type: 'button', class: 'button' }, t.stream.tap);
      button.addEventListener('click', offer.go);
      box.append(button);
    }
    box.scrollIntoView({ block: 'nearest' });
  } catch (error) {
    box.remove();
    // Without a plan there is no offer. What is wrong with the model has already been shown.
    if (!(error instanceof PocketError)) throw error;
  }
}

/** A model that did not fit, and how it would be loaded instead. */
interface Unfit {
  readonly app: App;
  readonly now: ModelChoice;
  readonly to: ModelChoice;
  readonly files: Files;
  readonly sizes?: Sizes | undefined;
  readonly signal: AbortSignal;
}

/** Makes the offer for a model that did not fit, unless its layers are in storage already. `go` loads it. */
export async function offerFor(place: HTMLElement, { app, now, to, files, sizes, signal }: Unfit, go: () => void): Promise<void> {
  if (now.streamed === true) return;
  const { tuner } = app;
  const [model, access] = [placeOf(now, files), accessToken()];
  const isWriter = tuner === undefined ? await writes(model, access, signal) : tuner.info.head === 'causal-lm';
  const subject = { model, access, isWriter, sizes };
  const agreed = (): void => {
    remember(to, files);
    go();
  };
  await offerStreaming(place, { subject, from: now, to, tries: tuner === undefined, signal, go: agreed });
}

/** Makes the offer for the loaded model, whose training of these sizes did not fit. The examples stay. */
export async function offerAgain(app: App, flow: Flow, place: HTMLElement, sizes: Sizes | undefined): Promise<void> {
  const { model: now, files } = app;
  const { signal } = new AbortController();
  const to: ModelChoice = { ...now, streamed: true };
  await offerFor(place, { app, now, to, files, sizes, signal }, async () => {
    const line = el('p', { role: 'status' });
    place.replaceChildren(line);
    flow.freeze(true);
    app.onProgress = (progress) => (line.textContent = stageName(progress));
    try {
      await loadModel(app, to, files);
      showFacts(app);
      showProblem(place);
      flow.open(3);
    } catch (error) {
      // Now no model is loaded.
      place.replaceChildren();
      flow.lockAfter(1);
      flow.open(1);
      showProblem(byId('model-problem', HTMLElement), error);
    } finally {
      delete app.onProgress;
      flow.freeze(false);
    }
  });
}

async function weighed({ subject, from, planned, to, free, tries, signal }: Offer): Promise<{ sentences: string[]; works: boolean }> {
  if (!(await canKeep())) return { sentences: [t.stream.unavailable], works: false };
  const [now, then] = [planned ?? (await plan(subject, from, signal)), await plan(subject, to, signal)];
  if (then.peak >= now.peak) return { sentences: [], works: false };
  // The file is at most as large as the weights.
  const takes = to.dtype === from.dtype ? now.weights : (await plan(subject, { dtype: to.dtype }, signal)).weights;
  const [memory, space] = [await memoryName(), free ?? (await freeSpace())];
  if (takes > space) return { sentences: [t.stream.lacksStorage(then.peak, memory, takes, Math.max(0, space))], works: false };
  const tried = tries ? await tryMemory(then.peak, signal) : undefined;
  if (tried?.tight === true) return { sentences: [t.stream.stillTooMuch(then.peak, memory)], works: false };
  return { sentences: [t.stream.offer(then.peak, now.peak, memory, takes), ...(to.dtype === from.dtype ? [] : [t.stream.fewerBits])], works: true };
}

/** Bytes that the browser has for the page; infinite where it does not say. */
async function freeSpace(): Promise<number> {
  const room = await storage.room();
  return room === undefined ? Infinity : room.quota - room.used;
}

function keyOf(model: ModelChoice, files: Files): string {
  if (model.kind === 'kept') return model.source;
  return model.kind === 'files' ? files.map(({ name, size }) => `${name} ${size}`).join() : nameOf(model, []);
}

function stored(): Record<string, Held> {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(NAME) ?? '{}');
    return typeof found === 'object' && found !== null ? (found as Record<string, Held>) : {};
  } catch {
    return {};
  }
}
