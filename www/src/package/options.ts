/** Options checked and completed, before they travel to the engine. */
import { unzipSync } from 'fflate';
import { PocketError } from './errors.js';
import type { CreateConfig, EvaluateConfig, PlanConfig, TrainConfig } from './protocol.js';
import type { ModelSource, RemoteSource } from './source.js';
import type { CreateOptions, Data, DType, Estimator, EvaluateOptions, GenerateOptions, Method, NamedBlob, PlanOptions, TrainOptions } from './types.js';
import type { WasmGenerateOptions } from './wasm.js';

const HUB = 'https://huggingface.co';
const HUB_ID = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:\/([\w-][\w.-]*\.gguf))?$/;

/** What the engine has of each; the types say the same. */
export const DTYPES: readonly DType[] = ['f32', 'f16', 'q8', 'q4'];
export const METHODS: readonly Method[] = ['full', 'lora', 'prefix'];
export const ESTIMATORS: readonly Estimator[] = ['two-point', 'spsa', 'one-sided', 'fzoo', 'low-rank', 'lozo'];

const CREATE = ['model', 'hub', 'cache', 'dtype', 'limits', 'maxGpuBytes', 'onProgress', 'signal', 'worker'];
const PROMPTING = ['task', 'template', 'labels'];
const TRAIN = [
  ...PROMPTING,
  ...['data', 'dataName', 'eval', 'evalName', 'method', 'loraRank', 'loraAlpha', 'loraTargets', 'prefixLength', 'trainable'],
  ...['estimator', 'probes', 'distribution', 'clip', 'momentum', 'rank', 'interval', 'objective', 'microBatch'],
  ...['steps', 'batchSize', 'learningRate', 'schedule', 'weightDecay', 'epsilon', 'seed', 'evaluateEvery', 'maxLength'],
  ...['shots', 'holdOut', 'dataSeed', 'keep', 'signal', 'onStart'],
];
const PLAN = [
  ...['model', 'hub', 'dtype', 'maxGpuBytes', 'worker', 'signal', 'method', 'loraRank', 'loraAlpha', 'loraTargets', 'prefixLength'],
  ...['trainable', 'estimator', 'probes', 'momentum', 'rank', 'interval', 'batchSize', 'microBatch', 'maxLength', 'labels'],
];
const COUNTS: readonly (keyof TrainOptions)[] = [
  ...(['steps', 'batchSize', 'microBatch', 'evaluateEvery', 'maxLength', 'shots', 'holdOut', 'dataSeed'] as const),
  ...(['probes', 'loraRank', 'prefixLength', 'rank', 'interval'] as const),
];
const EVALUATE = [...PROMPTING, 'dataName', 'signal'];
const GENERATE = ['maxTokens', 'temperature', 'seed', 'signal'];

function invalid(message: string): PocketError {
  return new PocketError('invalid-argument', message);
}

/** A misspelt option would otherwise be silently without effect. */
function refuseUnknown(call: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw invalid(`${call}: unknown option "${unknown}"; there are ${known.join(', ')}`);
  }
}

function refuseOther(call: string, name: string, value: unknown, allowed: readonly unknown[]): void {
  if (value !== undefined && !allowed.includes(value)) {
    throw invalid(`${call}: ${name} must be ${allowed.map((each) => JSON.stringify(each)).join(' or ')}, found ${String(value)}`);
  }
}

/** Without the keys whose value is `undefined`. */
function compact<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** `base` is what relative addresses are relative to. */
export function createConfig(options: CreateOptions, base: string): CreateConfig {
  refuseUnknown('create', options, CREATE);
  refuseOther('create', 'dtype', options.dtype, DTYPES);
  refuseOther('create', 'limits', options.limits, ['default', 'adapter']);
  refuseOther('create', 'cache', options.cache, [true, false]);
  refuseBadNumber('create', options, ['maxGpuBytes'], false);
  const { limits, dtype, model, hub, maxGpuBytes, cache = true } = options;
  return { source: modelSource(model, base, hub), cache, ...compact({ limits, dtype, maxGpuBytes }) };
}

/** Where a model's option says that it is. */
export function modelSource(model: CreateOptions['model'], base: string, hub = HUB): ModelSource {
  if (typeof model === 'string' || model instanceof URL) return remoteSource(String(model), base, hub);
  if (typeof model !== 'object' || model === null || !(Symbol.iterator in model)) {
    throw invalid('create: model must be a URL, a hub id ("owner/name") or an array of files');
  }
  const files = [...model].map((file) => (file instanceof Blob ? { name: file.name, blob: file } : file));
  if (files.length === 0) throw invalid('create: model holds no files');
  return { kind: 'files', files };
}

function remoteSource(model: string, base: string, hub: string): RemoteSource {
  const host = hub.replace(/\/+$/, '');
  const [, id, file] = HUB_ID.exec(model) ?? [];
  if (id !== undefined && file !== undefined) return { kind: 'hub', host, id, file };
  if (id !== undefined && !id.endsWith('.gguf')) return { kind: 'hub', host, id };
  let url: URL;
  try {
    url = new URL(model, base);
  } catch (cause) {
    throw new PocketError('invalid-argument', `create: "${model}" is neither a URL nor a hub id ("owner/name")`, { cause });
  }
  if (!url.pathname.endsWith('.gguf') && !url.pathname.endsWith('/')) url.pathname += '/';
  return { kind: 'url', url: url.href };
}

/** Names the number that is not one, before it travels anywhere. */
function refuseBadNumber(call: string, options: object, names: readonly string[], whole: boolean): void {
  for (const [name, value] of Object.entries(options)) {
    if (!names.includes(name) || value === undefined) continue;
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0 || (whole && !Number.isInteger(value))) {
      throw invalid(`${call}: ${name} must be a ${whole ? 'whole' : 'finite'} number from 0 up, found ${String(value)}`);
    }
  }
}

export function trainConfig(options: TrainOptions): TrainConfig {
  refuseUnknown('train', options, TRAIN);
  refuseOther('train', 'method', options.method, METHODS);
  refuseOther('train', 'estimator', options.estimator, ESTIMATORS);
  refuseOther('train', 'distribution', options.distribution, ['gaussian', 'rademacher']);
  refuseOther('train', 'objective', options.objective, ['loss', 'accuracy', 'f1']);
  refuseOther('train', 'schedule', options.schedule, ['constant', 'linear']);
  refuseBadNumber('train', options, COUNTS, true);
  if (options.learningRate !== 'auto') refuseBadNumber('train', options, ['learningRate'], false);
  refuseBadNumber('train', options, ['epsilon', 'weightDecay', 'clip', 'momentum', 'loraAlpha'], false);
  if (options.steps === undefined) throw invalid('train: steps is missing');
  refuseNoData('train', options.data);
  const { signal, onStart, ...rest } = options;
  return compact(rest);
}

export function planConfig(options: PlanOptions, base: string): PlanConfig {
  refuseUnknown('planTraining', options, PLAN);
  refuseOther('planTraining', 'dtype', options.dtype, DTYPES);
  refuseOther('planTraining', 'method', options.method, METHODS);
  refuseOther('planTraining', 'estimator', options.estimator, ESTIMATORS);
  refuseBadNumber('planTraining', options, COUNTS, true);
  const { model, hub, signal: _, worker: __, ...rest } = options;
  return { source: modelSource(model, base, hub), ...compact(rest) };
}

function refuseNoData(call: string, data: Data): void {
  if (typeof data !== 'string' && !(data instanceof Blob) && !Array.isArray(data)) {
    throw invalid(`${call}: data must be a string, an array of rows or a file, found ${data === null ? 'null' : typeof data}`);
  }
}

export function evaluateConfig(data: Data, options: EvaluateOptions): EvaluateConfig {
  refuseUnknown('evaluate', options, EVALUATE);
  refuseNoData('evaluate', data);
  const { signal, ...rest } = options;
  return compact({ ...rest, data });
}

export function generateConfig(options: GenerateOptions): WasmGenerateOptions {
  refuseUnknown('generate', options, GENERATE);
  refuseBadNumber('generate', options, ['maxTokens', 'seed'], true);
  refuseBadNumber('generate', options, ['temperature'], false);
  return { maxTokens: options.maxTokens ?? 64, temperature: options.temperature ?? 0, seed: options.seed ?? 0 };
}

/** The two files of an adapter, wherever they are: in a list, or in an archive as `export('adapter')` makes it. */
export async function adapterFiles(source: Blob | readonly (File | NamedBlob)[]): Promise<NamedBlob[]> {
  if (!(source instanceof Blob)) return source.map((file) => (file instanceof Blob ? { name: file.name, blob: file } : file));
  let found: Record<string, Uint8Array>;
  try {
    found = unzipSync(new Uint8Array(await source.arrayBuffer()));
  } catch (cause) {
    throw new PocketError('file-corrupt', 'the adapter: expected a zip archive of adapter_config.json and adapter_model.safetensors', { cause });
  }
  return Object.entries(found).map(([name, bytes]) => ({ name, blob: new Blob([bytes as Uint8Array<ArrayBuffer>]) }));
}
