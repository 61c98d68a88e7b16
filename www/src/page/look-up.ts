/** Looks a model up before it is loaded: whether it works here, what it needs, and in which precision this device can train it. */
import { hubName, inspectModel, PocketError, type DType, type ModelSize } from 'pocketllm';
import { byId, el } from './dom.ts';
import { accessToken } from './loading.ts';
import { isAbort, isLocked, showProblem } from './problem.ts';
import { offerFiles } from './quantized.ts';
import type { Held } from './state.ts';
import { t } from './text.ts';
import { weigh } from './weigh.ts';
import { confinedWorker } from './worker.ts';

/** Shows what went wrong. If the model needs an access token, the field for it appears. */
export function explain(place: HTMLElement, error: unknown): void {
  showProblem(place, error);
  if (isLocked(error)) byId('hub-access', HTMLElement).hidden = false;
}

export class LookUp {
  readonly #id = byId('hub-id', HTMLInputElement);
  readonly #dtype = byId('dtype', HTMLSelectElement);
  readonly #streamed = byId('stream-layers', HTMLInputElement);
  readonly #facts = byId('hub-facts', HTMLElement);
  readonly #problem = byId('model-problem', HTMLElement);
  /** Whether the person has chosen the precision. */
  readonly #dtypeIsChosen: () => boolean;
  readonly #changed: () => void;
  /** The id of the file that was chosen in a repository with several. */
  #file: string | undefined;
  /** The model of the hub whose last look-up succeeded. */
  #done: string | undefined;
  #looking = new AbortController();

  /** `changed` is called when a file of a repository is chosen. */
  constructor(dtypeIsChosen: () => boolean, changed: () => void) {
    [this.#dtypeIsChosen, this.#changed] = [dtypeIsChosen, changed];
  }

  /** The hub id that was entered, also by its address, or that of the file that was chosen in its repository. */
  get model(): string {
    return this.#file ?? hubName(this.#id.value) ?? this.#id.value.trim();
  }

  /** Called when another id is entered. */
  forget(): void {
    this.stop();
    [this.#file, this.#done] = [undefined, undefined];
    byId('hub-files', HTMLElement).hidden = true;
    this.#facts.replaceChildren();
  }

  /** Stops what is being looked up. */
  stop(): void {
    this.#looking.abort();
  }

  /** Shows what the model of the hub needs and what this device has. */
  async hub(): Promise<void> {
    const { model } = this;
    if (model !== '' && (await this.#show(this.#facts, model, inspection(model)))) this.#done = model;
  }

  /** Does the same for files. Errors in them are shown when they are loaded. */
  async files(files: File[]): Promise<void> {
    await this.#show(byId('files-facts', HTMLElement), files);
  }

  /**
   * Looks the model of the hub up before it is loaded, unless that has been done. Rejects if the model does not work here, so that nothing
   * of it is downloaded. Memory is not tried, because loading does that.
   */
  async beforeLoad(signal: AbortSignal): Promise<void> {
    const { model } = this;
    if (this.#done === model) return;
    byId('load-stage', HTMLElement).textContent = t.tasks.checking;
    try {
      await weigh({ model, access: accessToken(), inspect: inspection(model) }, this.#facts, this.#held, this.#choose, signal);
    } catch (error) {
      this.#facts.replaceChildren();
      // A model whose training needs too much memory may still be good for learning quickly.
      if (!(error instanceof PocketError && ['out-of-memory', 'limit-exceeded'].includes(error.code))) throw error;
    }
    this.#done = model;
  }

  /** If the named model is ambiguous because its repository has several files, offers the files. */
  async offersFiles(error: unknown, signal: AbortSignal): Promise<boolean> {
    const { model } = this;
    if (this.#file !== undefined || !(error instanceof PocketError) || error.code !== 'model-unsupported' || !error.message.includes('.gguf')) return false;
    return offerFiles(model, { ...accessToken(), signal }, (file, held) => {
      this.#file = file;
      this.#choose?.({ dtype: held });
      this.#changed();
      void this.hub();
    }).catch(() => false);
  }

  /** A function that chooses the precision, unless the person has chosen one. */
  get #choose(): ((held: Held) => void) | undefined {
    return this.#dtypeIsChosen() ? undefined : ({ dtype }) => void (this.#dtype.value = dtype);
  }

  /** How the weights will be held. */
  get #held(): Held {
    return { dtype: this.#dtype.value as DType, streamed: this.#streamed.checked };
  }

  /** Keeps the layers in storage, as if the person did it, which looks the model up again. */
  #stream(): void {
    this.#streamed.checked = true;
    this.#streamed.dispatchEvent(new Event('change'));
    // The button that was tapped is gone.
    byId('model-load', HTMLButtonElement).focus({ preventScroll: true });
  }

  /** Shows what a model needs, and chooses the precision in which it can be trained here. Returns whether that went well. */
  async #show(place: HTMLElement, model: string | File[], inspect?: (signal: AbortSignal) => Promise<ModelSize>): Promise<boolean> {
    this.#looking.abort();
    const { signal } = (this.#looking = new AbortController());
    showProblem(this.#problem);
    try {
      await weigh({ model, access: accessToken(), inspect }, place, this.#held, this.#choose, signal, () => this.#stream());
      return !signal.aborted;
    } catch (error) {
      if (this.#looking.signal !== signal) return false;
      place.replaceChildren();
      if (isAbort(error)) return false;
      if (typeof model === 'string' && (await this.offersFiles(error, signal))) return false;
      if (inspect !== undefined && !signal.aborted) explain(this.#problem, error);
      return false;
    }
  }
}

const inspection = (model: string) => (signal: AbortSignal): Promise<ModelSize> => inspectModel(model, { ...accessToken(), signal, worker: confinedWorker });

/** Disables downloads after texts have been entered. Only models on this device can be loaded then. */
export function closeHub(): void {
  byId('hub-id', HTMLInputElement).disabled = true;
  byId('hub-look', HTMLButtonElement).disabled = true;
  for (const name of ['adapter-hub', 'suggested']) byId(name, HTMLElement).hidden = true;
  byId('hub-facts', HTMLElement).replaceChildren(el('p', {}, t.model.sealed));
}
