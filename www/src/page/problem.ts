import { PocketError, type ErrorCode } from 'pocketllm';
import { hasWebGpu } from './device.ts';
import { el } from './dom.ts';
import { t } from './text.ts';

/** The error for a model of the hub without a tokenizer file. */
export class NoTokenizer extends PocketError {
  constructor(model: string) {
    super('model-unsupported', t.tasks.hubLacksTokenizer(model));
  }
}

/** The error for a file that is neither a training record nor an adapter. */
export class NoRecord extends PocketError {
  constructor(name: string) {
    super('file-corrupt', t.loading.noRecord(name));
  }
}

/** The error for an archive of what was learned quickly, which is opened as a training record only. */
export class ReadoutArchive extends PocketError {
  constructor(name: string) {
    super('model-unsupported', `${name}: ${t.loading.zipReadout}`);
  }
}

/** Whether a server refuses a model without the right access token. */
export const isLocked = (error: unknown): boolean => error instanceof PocketError && (error.status === 401 || error.status === 403);

/** Errors whose title says all that a person needs. The engine's message, which is in English, is for people who investigate them. */
const TECHNICAL: readonly ErrorCode[] = ['webgpu-unavailable', 'device-lost', 'out-of-memory', 'limit-exceeded'];

/**
 * Shows what went wrong and what to do about it, in plain words. With `undefined` it clears
 * `place`. `told` takes the place of the title and the advice for the kind of error.
 */
export function showProblem(place: HTMLElement, error?: unknown, told = explained(error)): void {
  if (error === undefined) {
    place.replaceChildren();
    return;
  }
  const { title, advice } = told;
  const message = error instanceof Error ? error.message : String(error);
  const isTechnical = error instanceof PocketError && TECHNICAL.includes(error.code);
  const found = el('p', { class: 'problem-found', ...(isTechnical ? { lang: 'en' } : {}) }, message);
  place.replaceChildren(
    el(
      'div',
      { class: 'problem', role: 'alert' },
      el('p', { class: 'problem-title' }, title),
      ...(isTechnical ? [] : [found]),
      el('p', {}, advice),
      ...(isTechnical ? [el('details', {}, el('summary', {}, t.problem.details), found)] : []),
    ),
  );
  place.scrollIntoView({ block: 'nearest' });
}

function explained(error: unknown): { title: string; advice: string } {
  if (isLocked(error)) return t.problem.locked;
  if (error instanceof NoTokenizer) return t.problem.noTokenizer;
  if (error instanceof NoRecord) return t.problem.noRecord;
  if (error instanceof ReadoutArchive) return t.problem.readoutArchive;
  return error instanceof PocketError ? t.problem[error.code] : t.problem.fault;
}

/** Whether the error only says that the person stopped the work. */
export function isAbort(error: unknown): boolean {
  return error instanceof PocketError && error.code === 'aborted';
}

/** Says if this browser has to use the processor, and what that means. */
export async function checkSupport(place: HTMLElement): Promise<void> {
  // It is said once.
  if (!place.hidden || (await hasWebGpu())) return;
  const secure = globalThis.isSecureContext;
  const advice = secure ? t.problem['webgpu-unavailable'].advice : t.problem.insecure;
  place.replaceChildren(
    el('p', { class: 'notice-title' }, t.problem.processor.title),
    el('p', {}, t.problem.processor.meaning),
    el('details', {}, el('summary', {}, t.problem.processor.faster), el('p', {}, advice)),
  );
  place.hidden = false;
}
