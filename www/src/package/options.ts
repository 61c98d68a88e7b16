/** Options checked and completed, before they travel to the engine. */
import { PocketError } from './errors.js';
import type { EvaluateConfig, TrainConfig } from './protocol.js';
import type { CreateOptions, Data, EvaluateOptions, GenerateOptions, NamedBlob, TrainOptions } from './types.js';
import type { WasmCreateOptions, WasmGenerateOptions } from './wasm.js';

const HUB = 'https://huggingface.co';
const HUB_ID = /^[\w-][\w.-]*\/[\w-][\w.-]*$/;

const CREATE = ['model', 'dtype', 'limits', 'onProgress', 'signal', 'worker'];
const PROMPTING = ['task', 'template', 'labels'];
const TRAIN = [
  ...PROMPTING,
  ...['data', 'dataName', 'eval', 'evalName', 'method', 'estimator', 'probes', 'steps', 'batchSize', 'learningRate'],
  ...['schedule', 'weightDecay', 'epsilon', 'seed', 'evaluateEvery', 'maxLength', 'shots', 'holdOut', 'dataSeed', 'signal', 'onStart'],
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
export function createConfig(options: CreateOptions, base: string): WasmCreateOptions {
  refuseUnknown('create', options, CREATE);
  refuseOther('create', 'dtype', options.dtype, ['f32']);
  refuseOther('create', 'limits', options.limits, ['default', 'adapter']);
  const { limits, dtype } = options;
  return { ...modelSource(options.model, base), ...compact({ limits, dtype }) };
}

function modelSource(model: CreateOptions['model'], base: string): { url: string } | { files: NamedBlob[] } {
  if (typeof model === 'string' || model instanceof URL) return { url: modelUrl(String(model), base) };
  if (typeof model !== 'object' || model === null || !(Symbol.iterator in model)) {
    throw invalid('create: model must be a URL, a hub id ("owner/name") or an array of files');
  }
  const files = [...model].map((file) => (file instanceof Blob ? { name: file.name, blob: file } : file));
  if (files.length === 0) throw invalid('create: model holds no files');
  return { files };
}

function modelUrl(model: string, base: string): string {
  if (HUB_ID.test(model) && !model.endsWith('.gguf')) return `${HUB}/${model}/resolve/main/`;
  let url: URL;
  try {
    url = new URL(model, base);
  } catch (cause) {
    throw new PocketError('invalid-argument', `create: "${model}" is neither a URL nor a hub id ("owner/name")`, { cause });
  }
  if (!url.pathname.endsWith('.gguf') && !url.pathname.endsWith('/')) url.pathname += '/';
  return url.href;
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
  refuseOther('train', 'method', options.method, ['full']);
  refuseOther('train', 'estimator', options.estimator, ['spsa']);
  refuseOther('train', 'probes', options.probes, [1]);
  refuseOther('train', 'schedule', options.schedule, ['constant', 'linear']);
  refuseBadNumber('train', options, ['steps', 'batchSize', 'evaluateEvery', 'maxLength', 'shots', 'holdOut', 'dataSeed'], true);
  refuseBadNumber('train', options, ['learningRate', 'epsilon', 'weightDecay'], false);
  if (options.steps === undefined) throw invalid('train: steps is missing');
  if (options.learningRate === undefined) throw invalid('train: learningRate is missing');
  refuseNoData('train', options.data);
  const { signal, onStart, estimator, probes, ...rest } = options;
  return compact({
    ...rest,
    method: 'full' as const,
    batchSize: options.batchSize ?? 16,
    epsilon: options.epsilon ?? 1e-3,
  });
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
