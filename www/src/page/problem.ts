import { PocketError, type ErrorCode } from 'pocketllm';
import { el } from './dom.ts';

interface Words {
  readonly title: string;
  readonly advice: string;
}

const WORDS: Record<ErrorCode, Words> = {
  'webgpu-unavailable': {
    title: 'This browser gives no access to the GPU',
    advice:
      'Use a current Chrome or Edge (on Android 12 or later, or on a computer), Safari 26, or Firefox 141 on Windows. On Linux, open chrome://flags, turn on “Unsafe WebGPU Support”, and start Chrome again.',
  },
  'device-lost': {
    title: 'The GPU went away, and does not come back',
    advice: 'The system took it, often for lack of memory. Close other tabs and apps and reload this page: the training goes on from its last step.',
  },
  'out-of-memory': {
    title: 'There is not enough memory',
    advice: 'Close other tabs and apps, use fewer examples a step or shorter texts (under Advanced), or a smaller model.',
  },
  'limit-exceeded': {
    title: 'This is more than this GPU can take',
    advice: 'Use fewer examples a step or shorter texts (under Advanced), or a smaller model.',
  },
  'model-unsupported': {
    title: 'This kind of model cannot be used here',
    advice: 'BERT, RoBERTa, OPT and Llama models work, as safetensors or GGUF files.',
  },
  'file-corrupt': {
    title: 'A file is missing or damaged',
    advice: 'Download it again, and choose config.json, tokenizer.json and the .safetensors files together, or one .gguf file.',
  },
  'data-invalid': {
    title: 'These examples cannot be used as they are',
    advice: 'Mend the place named above, then try again.',
  },
  'trajectory-mismatch': {
    title: 'This training record belongs to something else',
    advice: 'Load the model that it was made with, and give the same examples and settings to go on with it.',
  },
  'non-finite-loss': {
    title: 'The training went out of bounds',
    advice: 'Load the model again and use a learning rate ten times smaller (under Advanced).',
  },
  'storage-full': {
    title: 'There is no room left to keep it',
    advice: 'Free some space on this device, or delete a model under “Models on this device”, and try again. What is kept already is not lost.',
  },
  network: {
    title: 'A file could not be fetched',
    advice: 'Look whether you are online and whether the name is right, then try again: what has come so far is kept.',
  },
  aborted: { title: 'Stopped', advice: '' },
  'invalid-argument': {
    title: 'A setting is not right',
    advice: 'Change the setting named above, then try again.',
  },
};

const FAULT: Words = {
  title: 'Something went wrong in this page',
  advice: 'Reload the page and try again. If it happens again, please report the text above.',
};

/** Shows what went wrong, in plain words and with what to do; `undefined` clears the place. */
export function showProblem(place: HTMLElement, error?: unknown): void {
  if (error === undefined) {
    place.replaceChildren();
    return;
  }
  const { title, advice } = error instanceof PocketError ? WORDS[error.code] : FAULT;
  const found = error instanceof Error ? error.message : String(error);
  place.replaceChildren(
    el(
      'div',
      { class: 'problem', role: 'alert' },
      el('p', { class: 'problem-title' }, title),
      el('p', { class: 'problem-found' }, found),
      el('p', {}, advice),
    ),
  );
  place.scrollIntoView({ block: 'nearest' });
}

/** True of the error that follows from the person's own wish to stop. */
export function isAbort(error: unknown): boolean {
  return error instanceof PocketError && error.code === 'aborted';
}

/** Says at once, before anything is loaded, when this browser cannot do it. */
export async function checkSupport(place: HTMLElement): Promise<void> {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu;
  let found: string;
  if (!globalThis.isSecureContext) {
    found = 'Browsers allow this only to pages fetched over https, or from this device itself (localhost).';
  } else if (gpu === undefined) {
    found = WORDS['webgpu-unavailable'].advice;
  } else if ((await gpu.requestAdapter().catch(() => null)) === null) {
    found = `WebGPU is there, but it found no GPU that it may use. ${WORDS['webgpu-unavailable'].advice}`;
  } else {
    return;
  }
  place.append(el('p', { class: 'problem-title' }, WORDS['webgpu-unavailable'].title), el('p', {}, found));
  place.hidden = false;
}
