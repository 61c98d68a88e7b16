/** Options checked and completed, before they travel to the engine. */
import { unzipSync, type UnzipFileInfo } from 'fflate';
import { PocketError } from './errors.js';
import { fromAddress, fromId, HUB } from './model-id.js';
import type { CreateConfig, EvaluateConfig, PlanConfig, TrainConfig } from './protocol.js';
import type { Access } from './request.js';
import type { ModelSource, RemoteSource } from './source.js';
import type { ClassifyOptions, EvaluateOptions, GenerateOptions } from './types/asking.js';
import type { Data, NamedBlob, Prompt, ReadOptions } from './types/data.js';
import type { CreateOptions, Device, DType, PlanOptions, ProbeOptions, RemoteOptions } from './types/model.js';
import type { Estimator, Method, RestoreOptions, TrainOptions } from './types/training.js';
import { DRAW_OPTIONS, type DrawOptions, METHOD_OPTIONS, RUN_OPTIONS } from './types/options.js';
import type { WasmGenerateOptions } from './wasm.js';

/** The values that the engine knows. The types list the same values. */
const DTYPES: readonly DType[] = ['f32', 'f16', 'q8', 'q4', 'q4_1', 'q6_k', 'q4_k', 'q5_0', 'q5_1', 'q5_k', 'iq4_nl', 'iq4_xs', 'q3_k', 'q2_k'];
const DEVICES: readonly Device[] = ['gpu', 'cpu'];
export const METHODS: readonly Method[] = METHOD_OPTIONS.method;
export const ESTIMATORS: readonly Estimator[] = METHOD_OPTIONS.estimator;

const CREATE = ['model', 'hub', 'token', 'cache', 'device', 'dtype', 'limits', 'tiles', 'maxGpuBytes', 'streamLayers', 'onProgress', 'signal', 'worker'];
const PROMPTING = ['task', 'template', 'labels'];
const RUN = { ...METHOD_OPTIONS, ...RUN_OPTIONS, ...DRAW_OPTIONS };
// A run's settings name the storage format of the model, and the engine compares it with that of the loaded model.
const TRAIN = [...PROMPTING, ...Object.keys(RUN), 'data', 'dataName', 'eval', 'evalName', 'crossValidate', 'dtype', 'keep', 'signal', 'onStart'];
const PLAN = [
  ...['model', 'hub', 'token', 'dtype', 'maxGpuBytes', 'streamLayers', 'worker', 'signal', 'batchSize', 'microBatch', 'maxLength', 'labels'],
  ...Object.keys(METHOD_OPTIONS),
];
const CLASSIFY = [...PROMPTING, 'textB', 'signal'];
const EVALUATE = [...PROMPTING, 'dataName', 'wrong', 'inContext', 'train', 'trainName', 'dataSeed', 'signal'];
const READ = ['name', 'format', 'textColumn', 'labelColumn', 'labeled', 'unlabeled', ...Object.keys(DRAW_OPTIONS)];
const GENERATE = ['maxTokens', 'temperature', 'seed', 'signal'];

function invalid(message: string): PocketError {
  return new PocketError('invalid-argument', message);
}

/**
 * Reads the arguments of a call. If reading them throws, as a getter can, that is an `invalid-argument`.
 */
export function reading<T>(call: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof PocketError) throw thrown;
    throw new PocketError('invalid-argument', `${call}: the arguments cannot be read: ${thrown instanceof Error ? thrown.message : kind(thrown)}`, { cause: thrown });
  }
}

/** What a value is, for messages. */
export function kind(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value).slice(0, 60);
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  return Array.isArray(value) ? 'an array' : typeof value;
}

/** Refuses unknown options. Otherwise a misspelled option would silently have no effect. */
export function refuseUnknown(call: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid(`${call}: expected an object of options, found ${kind(options)}`);
  }
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw invalid(`${call}: unknown option "${unknown}"; the options are ${known.join(', ')}`);
  }
  for (const [name, value] of Object.entries(options)) {
    const wanted = value === undefined ? undefined : KINDS[name];
    if (wanted !== undefined && !wanted.is(value)) throw invalid(`${call}: ${name} must be ${wanted.what}, found ${kind(value)}`);
  }
}

interface Kind {
  readonly what: string;
  is(value: unknown): boolean;
}

const STRING: Kind = { what: 'a string', is: (value) => typeof value === 'string' };
const STRINGS: Kind = { what: 'an array of strings', is: (value) => Array.isArray(value) && value.every(STRING.is) };
const FUNCTION: Kind = { what: 'a function', is: (value) => typeof value === 'function' };
const SEED: Kind = {
  what: 'a whole number from 0 up, a bigint of 64 bits or its decimal digits',
  is: (value) => {
    if (typeof value === 'string') return /^\d{1,20}$/.test(value) && BigInt(value) < 1n << 64n;
    return typeof value === 'bigint' ? value >= 0n && value < 1n << 64n : Number.isSafeInteger(value) && (value as number) >= 0;
  },
};

/** The options whose kind is the same in every call that has them; numbers and choices are checked one by one. */
const KINDS: Record<string, Kind> = {
  ...{ task: STRING, template: STRING, name: STRING, dataName: STRING, evalName: STRING, trainName: STRING, keep: STRING, hub: STRING, tiles: STRING, textB: STRING, textColumn: STRING, labelColumn: STRING },
  ...{ labels: STRINGS, loraTargets: STRINGS, trainable: STRINGS },
  ...{ onProgress: FUNCTION, onStart: FUNCTION, seed: SEED },
  // Other characters do not fit in the header that carries it.
  token: { what: 'an access token without spaces', is: (value) => typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) },
  // Recognized by its methods, because an object of another frame has another class.
  signal: { what: 'an AbortSignal', is: isSignal },
  streamLayers: { what: 'true or false', is: (value) => typeof value === 'boolean' },
  worker: { what: 'true, false or a function that returns a Worker', is: (value) => typeof value === 'boolean' || typeof value === 'function' },
};

function isSignal(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function';
}

function refuseOther(call: string, name: string, value: unknown, allowed: readonly unknown[]): void {
  if (value !== undefined && !allowed.includes(value)) {
    throw invalid(`${call}: ${name} must be ${allowed.map((each) => JSON.stringify(each)).join(' or ')}, found ${typeof value === 'string' ? value : kind(value)}`);
  }
}

/** Without the keys whose value is `undefined`. */
function compact<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** `base` is the base of relative addresses. */
export function createConfig(options: CreateOptions, base: string): CreateConfig {
  refuseUnknown('create', options, CREATE);
  refuseOther('create', 'dtype', options.dtype, DTYPES);
  refuseOther('create', 'device', options.device, DEVICES);
  refuseOther('create', 'limits', options.limits, ['default', 'adapter']);
  refuseOther('create', 'cache', options.cache, [true, false, 'force-cache']);
  refuseBadNumber('create', options, ['maxGpuBytes'], false);
  const { device, limits, dtype, tiles, model, hub, token, maxGpuBytes, streamLayers, cache = true } = options;
  return { source: modelSource(model, base, hub), cache, ...compact({ device, limits, dtype, tiles, maxGpuBytes, streamLayers, access: access(token, hub) }) };
}

/** The place of a model, from its option. */
function modelSource(model: CreateOptions['model'], base: string, hub = HUB): ModelSource {
  if (typeof model === 'string' || model instanceof URL) return remoteSource(String(model), base, hub);
  if (typeof model !== 'object' || model === null || !(Symbol.iterator in model)) {
    throw invalid(`create: model must be a URL, a hub id ("owner/name") or an array of files, found ${kind(model)}`);
  }
  const files = namedBlobs('create: model', model);
  if (files.length === 0) throw invalid('create: model holds no files');
  return { kind: 'files', files };
}

/** Files from a picker and blobs, with their names. Files of a chosen folder are named by their paths in it. */
function namedBlobs(what: string, files: Iterable<File | NamedBlob>): NamedBlob[] {
  const named: NamedBlob[] = [];
  // One after another, because the iterable may have no end.
  for (const file of files) {
    if (file instanceof File) named.push({ name: file.webkitRelativePath || file.name, blob: file });
    else if (typeof file?.name === 'string' && file.blob instanceof Blob) named.push({ name: file.name, blob: file.blob });
    else throw invalid(`${what}[${named.length}] must be a File or { name, blob }, found ${kind(file)}`);
  }
  return named;
}

function remoteSource(model: string, base: string, hub: string): RemoteSource {
  const host = hub.replace(/\/+$/, '');
  const found = URL.canParse(host) ? (fromAddress(model.trim(), host) ?? fromId(model.trim())) : fromId(model.trim());
  if (found !== undefined) {
    webAddress(`create: hub must be an address, found "${hub}"`, host);
    return { kind: 'hub', host, ...found };
  }
  const url = webAddress(`create: model must be a URL or a hub id ("owner/name"), found "${model}"`, model, base);
  if (!/\.gguf$/i.test(url.pathname) && !url.pathname.endsWith('/')) url.pathname += '/';
  return { kind: 'url', url: url.href };
}

/** The access token together with the hub that it is for. */
function access(token: string | undefined, hub = HUB): Access | undefined {
  return token === undefined ? undefined : { host: hub.replace(/\/+$/, ''), token };
}

function webAddress(otherwise: string, address: string, base?: string): URL {
  const url = address === '' || !URL.canParse(address, base) ? undefined : new URL(address, base);
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw invalid(otherwise);
  return url;
}

/** Throws for a value that is not a number, before it travels anywhere. */
function refuseBadNumber(call: string, options: object, names: readonly string[], whole: boolean): void {
  for (const [name, value] of Object.entries(options)) {
    if (!names.includes(name) || value === undefined) continue;
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0 || (whole && !Number.isInteger(value))) {
      throw invalid(`${call}: ${name} must be a ${whole ? 'whole' : 'finite'} number from 0 up, found ${kind(value)}`);
    }
  }
}

/** Checks each option of a run by its kind, before it travels anywhere. */
function refuseBadRun(call: string, options: object): void {
  for (const [name, kind] of Object.entries(RUN) as [string, string | readonly string[]][]) {
    const value = (options as Record<string, unknown>)[name];
    if (Array.isArray(kind)) refuseOther(call, name, value, kind);
    else if (kind === 'boolean') refuseOther(call, name, value, [true, false]);
    else if (kind === 'count') refuseBadNumber(call, options, [name], true);
    else if (kind === 'number' || (kind === 'rate' && value !== 'auto')) refuseBadNumber(call, options, [name], false);
  }
}

export function trainConfig(options: TrainOptions): TrainConfig {
  refuseUnknown('train', options, TRAIN);
  refuseBadRun('train', options);
  refuseNoData('train: data', options.data);
  if (options.eval !== undefined) refuseNoData('train: eval', options.eval);
  refuseWithoutEffect(options);
  refuseSeedOfNoDraw('train', options);
  const { signal, onStart, ...rest } = options;
  return compact(rest);
}

/** Refuses options that need another one. Without it they would have no effect, or the training rows would be measured as if they were held out. */
function refuseWithoutEffect({ eval: held, evalName, evaluateEvery = 0, crossValidate, holdOut = 0, method }: TrainOptions): void {
  if (evaluateEvery > 0 && held === undefined && holdOut === 0) {
    throw invalid('train: evaluateEvery: expected held-out data to evaluate on, found neither eval nor holdOut');
  }
  if (evalName !== undefined && held === undefined) throw invalid('train: evalName: expected eval, whose name it is, found none');
  if (crossValidate === true && method !== 'readout') {
    throw invalid(`train: crossValidate: expected method readout, found ${method ?? 'no method'}`);
  }
}

/** Refuses a seed of a draw if nothing is drawn. */
function refuseSeedOfNoDraw(call: string, { shots = 0, holdOut = 0, dataSeed = 0 }: DrawOptions): void {
  if (dataSeed > 0 && shots === 0 && holdOut === 0) throw invalid(`${call}: dataSeed: expected a draw of rows, found neither shots nor holdOut`);
}

export function planConfig(options: PlanOptions, base: string): PlanConfig {
  refuseUnknown('planTraining', options, PLAN);
  refuseOther('planTraining', 'dtype', options.dtype, DTYPES);
  refuseBadRun('planTraining', options);
  const { model, hub, token, signal: _, worker: __, ...rest } = options;
  return { source: modelSource(model, base, hub), ...compact({ ...rest, access: access(token, hub) }) };
}

/** The device to measure and the bytes to try. */
export function probeConfig(options: ProbeOptions): { bytes?: number; device?: Device } {
  refuseUnknown('probeDevice', options, ['bytes', 'device', 'worker', 'signal']);
  refuseOther('probeDevice', 'device', options.device, DEVICES);
  refuseBadNumber('probeDevice', options, ['bytes'], true);
  const { bytes, device } = options;
  return compact({ bytes, device });
}

/** A model or an adapter on a server, and how the server is reached. `more` names the options of the call besides those of a server. */
export function remoteOptions(call: string, what: string | URL, options: RemoteOptions, base: string, more: readonly string[] = []): { source: RemoteSource; access?: Access } {
  refuseUnknown(call, options, ['hub', 'token', 'signal', ...more]);
  const source = modelSource(what, base, options.hub);
  if (source.kind === 'files') throw invalid(`${call}: expected a URL or a hub id ("owner/name"), found files`);
  return { source, ...compact({ access: access(options.token, options.hub) }) };
}

function refuseNoData(what: string, data: Data): void {
  if (typeof data !== 'string' && !(data instanceof Blob) && !Array.isArray(data)) {
    throw invalid(`${what} must be a string, an array of rows or a file, found ${kind(data)}`);
  }
}

export function evaluateConfig(data: Data, options: EvaluateOptions): EvaluateConfig {
  refuseUnknown('evaluate', options, EVALUATE);
  refuseOther('evaluate', 'wrong', options.wrong, [true, false]);
  refuseNoData('evaluate: data', data);
  refuseBadNumber('evaluate', options, ['inContext', 'dataSeed'], true);
  if (options.train !== undefined) refuseNoData('evaluate: train', options.train);
  if ((options.inContext ?? 0) > 0 !== (options.train !== undefined)) {
    throw invalid('evaluate: inContext and train need each other: the rows of train precede each evaluated row');
  }
  for (const name of ['trainName', 'dataSeed'] as const) {
    if ((options[name] ?? 0) !== 0 && options.train === undefined) throw invalid(`evaluate: ${name}: expected train, found none`);
  }
  const { signal, ...rest } = options;
  return compact({ ...rest, data });
}

export function readConfig(data: Data, options: ReadOptions): ReadOptions {
  refuseUnknown('readRows', options, READ);
  for (const name of ['labeled', 'unlabeled'] as const) refuseOther('readRows', name, options[name], [true, false]);
  refuseOther('readRows', 'format', options.format, ['csv', 'tsv', 'jsonl', 'json', 'text']);
  refuseBadNumber('readRows', options, Object.keys(DRAW_OPTIONS), true);
  refuseSeedOfNoDraw('readRows', options);
  refuseNoData('readRows: data', data);
  return compact(options);
}

export function classifyConfig(text: string, options: ClassifyOptions): ClassifyOptions {
  // The options of a training may be passed unchanged.
  refuseUnknown('classify', options, [...CLASSIFY, ...TRAIN.filter((name) => !CLASSIFY.includes(name))]);
  if (typeof text !== 'string') throw invalid(`classify: text must be a string, found ${kind(text)}`);
  const { task, template, labels, textB } = options;
  return compact({ task, template, labels, textB });
}

export function classifyAllConfig(options: ClassifyOptions): ClassifyOptions {
  if (options.textB !== undefined) throw invalid('classifyAll: textB is for classify, which takes a pair of texts; classifyAll takes single texts');
  return classifyConfig('', options);
}

/** Checks a list of texts. */
export function textList(call: string, texts: readonly string[]): readonly string[] {
  if (!Array.isArray(texts)) throw invalid(`${call}: texts must be an array of strings, found ${kind(texts)}`);
  const wrong = texts.findIndex((text) => typeof text !== 'string');
  if (wrong >= 0) throw invalid(`${call}: texts must be an array of strings, found ${kind(texts[wrong])} at ${wrong}`);
  return texts;
}

export function generateConfig(prompt: Prompt, options: GenerateOptions): WasmGenerateOptions {
  refuseUnknown('generate', options, GENERATE);
  refuseBadNumber('generate', options, ['maxTokens', 'seed'], true);
  refuseBadNumber('generate', options, ['temperature'], false);
  if (typeof prompt !== 'string' && !Array.isArray(prompt) && !Array.isArray((prompt as { messages?: unknown } | null)?.messages)) {
    throw invalid(`generate: prompt must be a string, an array of { role, content } or an object with messages, found ${kind(prompt)}`);
  }
  return { maxTokens: options.maxTokens ?? 64, temperature: options.temperature ?? 0, seed: options.seed ?? 0 };
}

export function refuseNoRecord(trajectory: Blob, options: RestoreOptions): void {
  refuseUnknown('restore', options, ['signal']);
  if (!(trajectory instanceof Blob)) throw invalid(`restore: trajectory must be a Blob, found ${kind(trajectory)}`);
}

const ADAPTER = /(^|\/)adapter_(config\.json|model\.safetensors|model\.bin)$/;
/** The largest expansion of a byte by deflate. An archive that claims more is refused. */
const DEFLATE = 1032;

/** The two files of an adapter, wherever they are: in a list, or in an archive as `export('adapter')` makes it. */
export async function adapterFiles(source: Blob | readonly (File | NamedBlob)[]): Promise<NamedBlob[]> {
  if (!(source instanceof Blob)) {
    if (typeof source === 'object' && source !== null && Symbol.iterator in source) return reading('useAdapter', () => namedBlobs('useAdapter: adapter', source));
    throw invalid(`useAdapter: adapter must be a zip archive or an array of files, found ${kind(source)}`);
  }
  let found: Record<string, Uint8Array>;
  try {
    const filter = ({ name, size, originalSize }: UnzipFileInfo): boolean => ADAPTER.test(name) && originalSize <= DEFLATE * size;
    found = unzipSync(new Uint8Array(await source.arrayBuffer()), { filter });
  } catch (cause) {
    throw new PocketError('file-corrupt', 'the adapter: expected a zip archive of adapter_config.json and adapter_model.safetensors', { cause });
  }
  return Object.entries(found).map(([name, bytes]) => ({ name, blob: new Blob([bytes as Uint8Array<ArrayBuffer>]) }));
}
