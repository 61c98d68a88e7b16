/** After the first visit the page works offline, because the service worker stores its files. It says so once the model is stored, too. */
import { storage, type StoredModel } from 'pocketllm';
import { builtInAt } from './built-in.ts';
import { byId } from './dom.ts';
import { nameOf } from './loading.ts';
import { hubId } from './shelf.ts';
import type { ModelChoice } from './state.ts';
import { t } from './text.ts';

/** Whether the page itself is stored. */
let stored = false;
/** The model that is chosen or loaded. */
let inUse: ModelChoice | undefined;

export async function setUpOffline(): Promise<void> {
  if (!('serviceWorker' in navigator) || !import.meta.env.PROD) return;
  try {
    await navigator.serviceWorker.register('./sw.js');
    await navigator.serviceWorker.ready;
    stored = true;
    await tell();
  } catch {
    // Some browsers forbid service workers in private windows. The page works without one.
  }
}

/** Says whether the page works offline with this model. */
export function offlineWith(model: ModelChoice): void {
  inUse = model;
  void tell();
}

async function tell(): Promise<void> {
  const model = inUse;
  const works = stored && model !== undefined && (await isStored(model));
  if (model !== inUse) return;
  const place = byId('offline', HTMLElement);
  place.textContent = works ? t.tasks.offline(nameOf(model, [])) : '';
  place.hidden = !works;
}

/** Whether all of a model is on this device. */
export async function isStored(model: ModelChoice): Promise<boolean> {
  return (await storage.models()).some((each) => each.complete && isOf(each, model));
}

/** Whether a stored model is the given one. */
function isOf(stored: StoredModel, model: ModelChoice): boolean {
  if (model.kind === 'built-in') return builtInAt(stored.source) === (model.name ?? 'bert');
  if (model.kind === 'hub') return hubId(stored) === nameOf(model, []);
  return model.kind === 'kept' && stored.source === model.source;
}
