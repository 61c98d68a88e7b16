/** Loads a model, and shows what is being done meanwhile. */
import { FineTuner, hubName, inspectModel, storage, type CreateOptions, type LoadProgress } from 'pocketllm';
import { BUILT_IN, placeOf } from './built-in.ts';
import { PROCESSOR, tilesHere } from './device.ts';
import { announce, byId, facts } from './dom.ts';
import { bytes, compact, count } from './format.ts';
import { isSealed } from './privacy.ts';
import { checkSupport } from './problem.ts';
import { forgetTraining, type App, type ModelChoice } from './state.ts';
import { t } from './text.ts';
import { unpacked } from './unzip.ts';
import { confinedWorker } from './worker.ts';

const STAGES: Record<LoadProgress['stage'], string> = {
  download: t.loading.download,
  device: t.loading.device,
  config: t.loading.config,
  weights: t.loading.weights,
  tuning: t.loading.tuning,
  replay: t.loading.replay,
  search: t.loading.search,
  readout: t.loading.readout,
  fit: t.loading.fit,
  programs: t.live.preparing,
  evaluate: t.live.evaluating,
};

/** Disposes of the current model, which makes room for another. */
export async function unload(app: App): Promise<void> {
  await app.tuner?.dispose();
  delete app.tuner;
  forgetTraining(app);
}

/** Loads a model in place of the current one. Rejects if that fails. */
export async function loadModel(app: App, choice: ModelChoice, chosen: readonly File[], options: Pick<CreateOptions, 'signal' | 'cache'> = {}): Promise<void> {
  await unload(app);
  const files = await unpacked(chosen);
  const model = placeOf(choice, files);
  // After texts are entered there are no requests, not even to check whether a stored model has
  // changed.
  const cache = isSealed() ? 'force-cache' : true;
  const tuner = await FineTuner.create({ model, ...accessToken(), dtype: choice.dtype, streamLayers: choice.streamed === true, tiles: await tilesHere(), cache, ...options, onProgress: (progress) => app.onProgress?.(progress), worker: confinedWorker });
  // A stored model may have taken an hour to download, so the browser is asked not to delete it.
  void storage.persist();
  // The GPU may have been lost for good while the model was loaded.
  if (tuner.info.adapter === PROCESSOR) void checkSupport(byId('support', HTMLElement));
  Object.assign(app, { tuner, model: choice, files, modelName: nameOf(choice, files) });
}

/** The access token for gated models, if one has been entered. It is held only in the field. */
export function accessToken(): Pick<CreateOptions, 'token'> {
  const token = byId('hub-token', HTMLInputElement).value.trim();
  return token === '' ? {} : { token };
}

export function showProgress({ stage, loaded, total }: LoadProgress): void {
  const line = byId('load-stage', HTMLElement);
  if (line.textContent !== STAGES[stage]) announce(STAGES[stage]);
  line.textContent = STAGES[stage];
  const units = ['replay', 'search', 'readout', 'fit', 'programs', 'evaluate'].includes(stage) ? t.loading.of(count(loaded), count(total)) : t.loading.of(bytes(loaded), bytes(total));
  byId('load-bytes', HTMLElement).textContent = total > 0 ? units : '';
  const bar = byId('load-bar', HTMLProgressElement);
  if (total > 0) bar.value = loaded / total;
  else bar.removeAttribute('value');
}

/** The name of the stage, for use outside step 1. */
export const stageName = ({ stage }: LoadProgress): string => STAGES[stage];

/** The name of a model, for people. */
export function nameOf(choice: ModelChoice, files: readonly File[]): string {
  if (choice.kind === 'built-in') return BUILT_IN[choice.name ?? 'bert'].name;
  if (choice.kind === 'hub') return hubName(choice.id) ?? choice.id;
  if (choice.kind === 'kept') return choice.source.split('/').filter((part) => part !== '').at(-1) ?? t.loading.mine;
  const [first, ...more] = files;
  const folder = first?.webkitRelativePath.split('/')[0];
  if (folder) return folder;
  return first === undefined || more.length > 0 ? t.loading.mine : first.name.replace(/\.\w+$/, '');
}

/** The bytes of a model that is downloaded, if its host says. */
export async function downloadSize(choice: ModelChoice): Promise<number | undefined> {
  const model = placeOf(choice, []);
  if (typeof model !== 'string') return undefined;
  const size = await inspectModel(model, { ...accessToken(), worker: confinedWorker }).catch(() => undefined);
  return size?.bytes;
}

/** Shows what kind of model is loaded. */
export function showFacts(app: App): void {
  const info = app.tuner?.info;
  if (info === undefined) return;
  const list = byId('model-facts', HTMLElement);
  facts(list, [
    [t.model.family, info.family],
    [t.model.parameters, compact(info.parameters)],
    [info.adapter === PROCESSOR ? t.model.memoryUsed : t.model.gpuMemory, bytes(info.gpuBytes.total)],
    ...(app.model.streamed === true ? ([[t.stream.layers, t.stream.inStorage]] as const) : []),
    [t.model.suitedFor, info.head === 'masked-lm' ? t.model.sorting : t.model.writing],
    [t.model.runsOn, info.adapter === PROCESSOR ? t.model.processor : info.adapter, 'wide'],
  ]);
  list.hidden = false;
}
