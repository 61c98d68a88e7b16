/** Says on the buttons of step 1 what a tap downloads, if the model is not on this device yet. */
import { storage } from 'pocketllm';
import { BUILT_IN, builtInAt, isBuiltIn, isIncluded, suggested, type BuiltInName } from './built-in.ts';
import { chosen, onChoice } from './dom.ts';
import type { App, Flow } from './state.ts';
import { t } from './text.ts';

export function setUpSizes(app: App, flow: Flow): void {
  const show = (): void => void showSizes(app);
  onChoice('source', show);
  flow.onOpen(1, show);
  show();
}

async function showSizes(app: App): Promise<void> {
  const [stored, sorter] = [await storage.models().catch(() => []), await suggested()];
  const here = new Set(stored.flatMap(({ complete, source }) => (complete ? [builtInAt(source)] : [])));
  for (const place of document.querySelectorAll<HTMLElement>('[data-size]')) {
    const writes = place.dataset['size'] === 'writes';
    const name = modelFor(app, writes, sorter);
    place.textContent = name === undefined ? '' : here.has(name) ? t.tasks.noDownload : t.tasks.download(BUILT_IN[name].size.replace(' ', '\u00A0'));
  }
}

/** The built-in model that a tap loads; `undefined` if it is another one, whose size is not known here. */
function modelFor({ tuner, model }: App, writes: boolean, sorter: BuiltInName): BuiltInName | undefined {
  if (tuner !== undefined && model.kind !== 'built-in' && (!writes || tuner.info.head === 'causal-lm')) return undefined;
  const source = chosen('source');
  if (!isBuiltIn(source)) return undefined;
  if (BUILT_IN[source].writes === writes) return source;
  if (!writes) return sorter;
  return isIncluded('smollm2') ? 'smollm2' : undefined;
}
