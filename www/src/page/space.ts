/** What a person can do when storage is full: how much is needed and free, the stored models with their buttons to delete them, and to go on without storing. */
import { PocketError, storage } from 'pocketllm';
import { el } from './dom.ts';
import { bytes } from './format.ts';
import { showProblem } from './problem.ts';
import type { Settings } from './settings.ts';
import { modelName } from './shelf.ts';
import type { Dataset } from './state.ts';
import { t } from './text.ts';

/** Bytes of a step in a record, and of all that is stored beside the steps and the examples. */
const STEP_BYTES = 32;
const BESIDE_BYTES = 20_000;

export const isFull = (error: unknown): boolean => error instanceof PocketError && error.code === 'storage-full';

/** About how many bytes a training takes on this device. */
export function spaceFor(dataset: Dataset, { steps, probes = 1 }: Settings): number {
  return new Blob([JSON.stringify(dataset)]).size + steps * probes * STEP_BYTES + BESIDE_BYTES;
}

/** Shows, below what went wrong, how to get space. `without` goes on without storing anything. */
export async function offerSpace(place: HTMLElement, needed: number, again: () => void, without?: () => void): Promise<void> {
  const [room, models] = [await storage.room(), await storage.models().catch(() => [])];
  const free = room === undefined ? undefined : Math.max(0, room.quota - room.used);
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
          void offerSpace(place, needed, again, without);
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
      el('p', {}, free === undefined ? t.space.needs(bytes(needed)) : t.space.needsAndFree(bytes(needed), bytes(free))),
      ...(items.length === 0 ? [] : [el('p', { class: 'note' }, t.space.models), el('ul', { class: 'shelf' }, ...items)]),
      el('div', { class: 'shelf-actions' }, button(t.space.again, false, again), ...(without === undefined ? [] : [button(t.space.without, true, without)])),
    ),
  );
  place.scrollIntoView({ block: 'nearest' });
}
