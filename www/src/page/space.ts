/** What a person can do when storage is full: how much is needed and free, the stored models with their buttons to delete them, and to go on without storing. */
import { PocketError, storage } from 'pocketllm';
import { el } from './dom.ts';
import { bytes } from './format.ts';
import { showProblem } from './problem.ts';
import type { Settings } from './settings.ts';
import { modelName } from './shelf.ts';
import type { Dataset } from './state.ts';
import { t } from './text.ts';

/** Bytes of a step in a record, and of everything that is stored besides the steps and the examples. */
const STEP_BYTES = 32;
const BESIDE_BYTES = 20_000;

export const isFull = (error: unknown): boolean => error instanceof PocketError && error.code === 'storage-full';

/** About how many bytes a training takes on this device. */
export function spaceFor(dataset: Dataset, { steps, probes = 1 }: Settings): number {
  return new Blob([JSON.stringify(dataset)]).size + steps * probes * STEP_BYTES + BESIDE_BYTES;
}

/** A button with these words, which goes on without storing anything. */
export interface Without {
  readonly words: string;
  readonly go: () => void;
}

/** Shows, below what went wrong, how to get space for `needed` bytes, or for something whose size is unknown. */
export async function offerSpace(place: HTMLElement, needed: number | undefined, again: () => void, without?: Without): Promise<void> {
  const [room, models] = [await storage.room(), await storage.models().catch(() => [])];
  const free = room === undefined ? undefined : Math.max(0, room.quota - room.used);
  // What the browser says is an estimate. It is left out where it contradicts what has just happened.
  const needs = needed === undefined ? undefined : free !== undefined && free <= needed ? t.space.needsAndFree(bytes(needed), bytes(free)) : t.space.needs(bytes(needed));
  const button = (text: string, quiet: boolean, work: () => void): HTMLButtonElement => {
    const made = el('button', { type: 'button', class: quiet ? 'button quiet small' : 'button small' }, text);
    made.addEventListener('click', work);
    return made;
  };
  const items = models.map((model) => {
    const name = modelName(model);
    const remove = button(t.space.delete, true, () => {
      storage.deleteModel(model.id).then(
        () => {
          remove.closest('.space')?.remove();
          void offerSpace(place, needed, again, without).then(() => place.querySelector<HTMLElement>('.space button')?.focus());
        },
        (error: unknown) => showProblem(place, error),
      );
    });
    remove.setAttribute('aria-label', t.space.deleteModel(name));
    return el('li', {}, el('p', {}, el('b', {}, name), el('span', { class: 'figure' }, bytes(model.bytes))), remove);
  });
  place.append(
    el(
      'div',
      { class: 'space' },
      ...(needs === undefined ? [] : [el('p', {}, needs)]),
      ...(items.length === 0 ? [] : [el('p', { class: 'note' }, t.space.models), el('ul', { class: 'shelf' }, ...items)]),
      el('div', { class: 'shelf-actions' }, button(t.space.again, false, again), ...(without === undefined ? [] : [button(without.words, true, without.go)])),
    ),
  );
  place.scrollIntoView({ block: 'nearest' });
}
