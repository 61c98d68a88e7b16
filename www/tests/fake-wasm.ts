/**
 * A stand-in for `pkg/pocketllm.js` in tests of everything around the engine. It has the same API
 * but needs no GPU, and its losses fall like real ones. Texts that begin with `!` cause errors.
 */
import type { Classification, Evaluation } from '../src/package/types/asking.js';
import type { Conversation, LabelledText, NamedBlob, Prompt, ReadOptions, ReadRows } from '../src/package/types/data.js';
import type { DeviceSpeed, LoadProgress, MemoryPlan, ModelInfo } from '../src/package/types/model.js';
import type { Restored, RunSettings, TrainStart, TrainStep } from '../src/package/types/training.js';
import type {
  Cancel,
  WasmCreateOptions,
  WasmData,
  WasmEvaluateConfig,
  WasmFileSet,
  WasmGenerateOptions,
  WasmListed,
  WasmTrainConfig,
  WasmTuner,
} from '../src/package/wasm.js';

/** An error as the engine throws it: a plain object. */
function failure(code: string, message: string): { code: string; message: string } {
  return { code, message };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Delays. Unit tests set them to 0. */
export const pace = { stepMs: 40, loadMs: 60 };

/**
 * The GPU is lost in the part of a step with the number `lose`, counted from now, and in the next `loads` attempts to load a model. A step has
 * four parts.
 */
export const trouble = { lose: 0, loads: 0 };

/** The settings of the run in every trajectory of the stand-in. */
const SETTINGS: RunSettings = {
  method: 'full',
  estimator: 'two-point',
  probes: 1,
  dtype: 'f32',
  seed: '0',
  epsilon: 1e-3,
  learningRate: 2e-5,
  schedule: 'constant',
  weightDecay: 0,
  steps: 5000,
  batchSize: 4,
  maxLength: 32,
  template: 'This is [MASK] mail . {text}',
  labels: ['real', 'junk'],
};

/** How often the engine was called while a call was running. The real engine would panic. */
export const seen = { overlaps: 0, live: 0 };

export default async function init(): Promise<void> {
  await pause(1);
}

export async function plan(): Promise<MemoryPlan> {
  return { weights: 4e6, adapter: 0, scratch: 1e6, activations: 1e6, transfer: 1e5, peak: 6.1e6, adam: 4e7 };
}

export async function probe({ bytes = 0 }: { bytes?: number }): Promise<DeviceSpeed> {
  if (bytes > 1e12) throw failure('out-of-memory', 'the stand-in has no such memory');
  return { flops: 1e10 };
}

/** Reads `config.json`, as the real engine does. */
export async function checkModel(options: WasmCreateOptions): Promise<void> {
  await readConfig(options);
}

const textOf = (data: WasmData): string => (typeof data === 'string' ? data : new TextDecoder().decode(data));

/** The rows of a JSON array or of a table whose header is `text,label`. Other text is plain text. */
export function readRows(data: WasmData, name: string, { holdOut = 0, unlabeled = false }: Omit<ReadOptions, 'name'>): ReadRows {
  const text = textOf(data);
  const file = { format: 'csv', encoding: 'utf-8', notes: [], noted: [] } as const;
  const [header = '', ...lines] = text.trim().split('\n');
  if (name.endsWith('.csv') && header.trim() !== 'text,label') {
    const columns = header.split(',').map((_, at) => ({ name: `column ${at + 1}`, named: false, samples: [] }));
    const layout = { columns, header: false, text: 0, certainty: 'unsure', understood: 'The text is in column 1.' } as const;
    return { kind: 'plain', rows: [header, ...lines], heldOut: [], ...file, columns: {}, problems: [], layout };
  }
  if (!name.endsWith('.json') && header.trim() !== 'text,label') {
    return { kind: 'plain', rows: unlabeled ? text.trim().split('\n') : [text], heldOut: [], ...file, format: 'txt', columns: {}, problems: [] };
  }
  const read = lines.map((line) => /^"?(.*?)"?,([^,]*)$/.exec(line) ?? []);
  const table = read.map(([, row = '', label = '']): LabelledText => ({ text: row.replaceAll('""', '"'), label }));
  const rows = name.endsWith('.json') ? (JSON.parse(text) as LabelledText[]) : table.filter(({ label }) => label !== '');
  const problems = table.flatMap(({ label }, at) => (label === '' ? [{ row: at + 2, message: `row ${at + 2}, field \`label\`: expected a value, found nothing` }] : []));
  if (rows.length === 0) throw failure('data-invalid', `${name}: expected at least one row, found none`);
  return { kind: 'classified', rows: rows.slice(holdOut), heldOut: rows.slice(0, holdOut), ...file, columns: { text: 'text', label: 'label' }, problems: name.endsWith('.json') ? [] : problems };
}

/** The files of a model in Hugging Face's layout with its weights in one file, or a `.gguf` file. */
export function filesOf(place: string, listing: readonly WasmListed[], { file }: { readonly file?: string }): WasmFileSet {
  const names = listing.map(({ name }) => name);
  const set = fileNames().filter((name) => names.includes(name));
  const gguf = names.filter((name) => name === file || name.endsWith('.gguf'));
  if (file === undefined && set.includes('config.json') && set.includes('model.safetensors')) return { files: set };
  if (gguf.length === 1) return { files: gguf };
  throw failure('invalid-argument', `${place}: expected a config.json or a .gguf file, found neither`);
}

export function fileNames(found?: readonly WasmListed[]): readonly string[] {
  return found === undefined ? ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja', 'model.safetensors'] : [];
}

export class Tuner implements WasmTuner {
  #causal = false;
  #done = 0;
  #busy = false;
  #config: WasmTrainConfig | undefined;
  #until = 0;
  #restored = false;
  #written = 0;
  #pieces: string[] = [];
  #parameters = 4_416_698;
  #lost = false;

  static async create(
    options: WasmCreateOptions,
    onProgress: (progress: LoadProgress) => void,
    cancel: Cancel,
  ): Promise<Tuner> {
    const tuner = new Tuner();
    onProgress({ stage: 'device', file: '', loaded: 0, total: 0 });
    tuner.#causal = await readConfig(options);
    onProgress({ stage: 'config', file: 'config.json', loaded: 1, total: 1 });
    for (let part = 0; part <= 10; part++) {
      if (cancel.aborted) throw failure('aborted', 'loading was aborted');
      await pause(pace.loadMs);
      onProgress({ stage: 'weights', file: 'model.safetensors', loaded: part * 1_767_155, total: 17_671_552 });
      if (part === 5 && trouble.loads > 0 && trouble.loads-- > 0) throw failure('device-lost', 'the GPU went away');
    }
    seen.live++;
    return tuner;
  }

  info(): ModelInfo {
    const weights = this.#parameters * 4;
    return {
      family: this.#causal ? 'llama' : 'bert',
      head: this.#causal ? 'causal-lm' : 'masked-lm',
      parameters: this.#parameters,
      dtype: 'f32',
      gpuBytes: { weights, scratch: 4e6, activations: 3e6, peak: weights + 8e6, total: weights + 7e6 },
      adapter: 'stand-in without a GPU',
      tiles: 'none',
      vocabulary: 30_522,
      maxLength: 512,
      labelWords: true,
      ...(this.#causal ? {} : { maskToken: '[MASK]' }),
      chats: this.#causal,
      wasmBytes: 12 * 2 ** 20,
    };
  }

  async startTraining(config: WasmTrainConfig): Promise<TrainStart> {
    return this.#alone(async () => {
      if (config.data.length === 0) throw failure('data-invalid', 'the data are empty');
      this.#config = config;
      if (!this.#restored) this.#done = 0;
      this.#restored = false;
      this.#until = config.steps ?? 1000;
      const examples = config.dataName?.endsWith('.json') ? (JSON.parse(textOf(config.data)) as unknown[]).length : textOf(config.data).split('\n').length;
      return { firstStep: this.#done + 1, steps: this.#until, examples, learningRate: this.#rate() };
    });
  }

  async step(cancel: Cancel): Promise<TrainStep | undefined> {
    return this.#alone(async () => {
      const config = this.#config;
      if (config === undefined || this.#done >= this.#until) return undefined;
      for (let part = 0; part < 4; part++) {
        await pause(pace.stepMs / 4);
        if (cancel.aborted) throw failure('aborted', 'stopped on request');
        if (trouble.lose > 0 && trouble.lose-- === 1) this.#lost = true;
        if (this.#lost) throw failure('device-lost', 'the GPU went away');
      }
      const step = ++this.#done;
      const base = this.#loss(step);
      const wobble = 0.02 * Math.sin(step * 12.9898);
      const [lossPlus, lossMinus] = [base + wobble, base - wobble];
      if (this.#rate() > 1) throw failure('non-finite-loss', `step ${step}: the loss is not a number`);
      const measured = config.evaluateEvery !== undefined && step % config.evaluateEvery === 0;
      return {
        step,
        steps: this.#until,
        lossPlus,
        lossMinus,
        projectedGrad: (lossPlus - lossMinus) / (2 * (config.epsilon ?? 1e-3)),
        loss: (lossPlus + lossMinus) / 2,
        learningRate: this.#rate(),
        ms: pace.stepMs,
        tokens: (config.batchSize ?? 16) * 61,
        gpuBytes: this.info().gpuBytes.total,
        ...(measured ? { evaluation: this.#evaluation([]) } : {}),
      };
    });
  }

  async evaluate(config: WasmEvaluateConfig, cancel: Cancel): Promise<Evaluation> {
    return this.#alone(async () => {
      for (let part = 0; part < 5; part++) {
        if (cancel.aborted) throw failure('aborted', 'evaluation was aborted');
        await pause(pace.stepMs);
      }
      return this.#evaluation(JSON.parse(textOf(config.data)) as LabelledText[], config.labels);
    });
  }

  async classify(text: string): Promise<Classification> {
    return this.#alone(async () => {
      if (text.startsWith('!panic')) throw new WebAssembly.RuntimeError('unreachable');
      if (text.startsWith('!lost')) throw failure('device-lost', 'the GPU went away');
      const labels = this.#config?.labels ?? ['real', 'junk'];
      const lean = /free|win|won|money|offer|click/i.test(text) ? labels.length - 1 : 0;
      const sure = 1 / labels.length + (0.95 - 1 / labels.length) * (1 - Math.exp(-this.#done / 20));
      const rest = (1 - sure) / Math.max(1, labels.length - 1);
      const scores = labels.map((label, at) => ({ label, probability: at === lean ? sure : rest }));
      scores.sort((a, b) => b.probability - a.probability);
      return { label: labels[lean] ?? '', scores };
    });
  }

  async classifyAll(texts: string[]): Promise<Classification[]> {
    const answers: Classification[] = [];
    for (const text of texts) answers.push(await this.classify(text));
    return answers;
  }

  tokenLengths(texts: string[]): Uint32Array {
    return Uint32Array.from(texts, (text) => text.split(/\s+/).length);
  }

  unknownTokens(texts: string[]): Uint32Array {
    return Uint32Array.from(texts, () => 0);
  }

  async startGeneration(prompt: Prompt, options: WasmGenerateOptions): Promise<void> {
    return this.#alone(async () => {
      if (!this.#causal) throw failure('invalid-argument', 'a masked model cannot generate');
      this.#written = 0;
      this.#pieces = Array.from({ length: options.maxTokens }, (_, at) => (at === 0 ? ` (${'messages' in Object(prompt) ? (prompt as Conversation).messages.length : (prompt as string).length})` : ` word${at}`));
    });
  }

  async nextToken(): Promise<string | undefined> {
    return this.#alone(async () => {
      await pause(pace.stepMs);
      if (trouble.lose > 0 && trouble.lose-- === 1) throw failure('device-lost', 'the GPU went away');
      return this.#pieces[this.#written++];
    });
  }

  endGeneration(): void {
    this.#pieces = [];
  }

  exportTrajectory(from?: number): Uint8Array<ArrayBuffer> {
    const step = from ?? 0;
    if (this.#config === undefined && this.#done === 0) throw failure('invalid-argument', 'nothing has been trained yet');
    const records = new Uint8Array(12 * (this.#done - step)).map((_, at) => step + 1 + Math.floor(at / 12));
    return from !== undefined ? records : Uint8Array.from([...new Uint8Array(64), ...records]);
  }

  async exportModel(write: (chunk: Uint8Array<ArrayBuffer>) => void): Promise<void> {
    return this.#alone(async () => {
      const reused = new Uint8Array(1000);
      for (let part = 0; part < 4; part++) {
        write(reused.fill(part));
        await pause(1);
      }
    });
  }

  async exportDirectory(write: (path: string, chunk: Uint8Array<ArrayBuffer>) => void): Promise<void> {
    write('config.json', new TextEncoder().encode('{}'));
    await this.exportModel((chunk) => write('model.safetensors', chunk));
  }

  async exportAdapter(): Promise<{ config: string; weights: Uint8Array<ArrayBuffer>; gguf: Uint8Array<ArrayBuffer>; readout: Record<string, never> }> {
    if (this.#config?.method !== 'lora') throw failure('invalid-argument', 'no adapter has been trained or loaded');
    return { config: '{}', weights: new Uint8Array(16), readout: {}, gguf: new Uint8Array(8) };
  }

  async useAdapter({ files }: { readonly files: readonly NamedBlob[] }): Promise<void> {
    if (!files.some(({ name }) => name === 'adapter_config.json')) throw failure('file-corrupt', 'adapter_config.json: the file is missing');
  }

  async restore(trajectory: Uint8Array): Promise<Restored> {
    return this.#alone(async () => {
      if (trajectory.length < 64) throw failure('file-corrupt', 'trajectory: expected 64 bytes of header');
      this.#done = Math.floor((trajectory.length - 64) / 12);
      this.#restored = true;
      return { step: this.#done, losses: Array.from({ length: this.#done }, (_, at) => this.#loss(at + 1)), settings: SETTINGS };
    });
  }

  free(): void {
    seen.live--;
  }

  #rate(): number {
    const { learningRate } = this.#config ?? {};
    return typeof learningRate === 'number' ? learningRate : 2e-5;
  }

  #loss(step: number): number {
    return 0.42 + 0.29 * Math.exp(-step / 150) + 0.05 * Math.sin(step * 78.233) * Math.cos(step * 3.7);
  }

  /** Every third row is wrong at first, and fewer are later. */
  #evaluation(data: readonly LabelledText[], labels: readonly string[] = ['real', 'junk']): Evaluation {
    const rows = data.length > 0 ? data : Array.from({ length: 200 }, (_, at): LabelledText => ({ text: `text ${at}`, label: labels[at % labels.length] ?? '' }));
    const every = 3 + Math.floor(this.#done / 50);
    const answers = rows.map(({ text, label }, at) => ({ row: at + 1, text, label, answered: at % every === 0 ? (labels[(labels.indexOf(label) + 1) % labels.length] ?? '') : label }));
    const wrong = answers.filter(({ label, answered }) => label !== answered);
    const of = (name: string, of: 'label' | 'answered'): typeof answers => answers.filter((answer) => answer[of] === name);
    const perLabel = labels.map((label) => {
      const [own, correct] = [of(label, 'label'), of(label, 'label').filter(({ answered }) => answered === label).length];
      const answered = of(label, 'answered').length;
      const confusion = labels.map((other) => own.filter((answer) => answer.answered === other).length);
      return { label, rows: own.length, correct, recall: own.length > 0 ? correct / own.length : null, precision: answered > 0 ? correct / answered : null, confusion };
    });
    const most = perLabel.reduce((a, b) => (b.rows > a.rows ? b : a));
    const accuracy = 1 - wrong.length / rows.length;
    const verdict = rows.length < 10 ? 'too-few' : accuracy - 0.05 > most.rows / rows.length ? 'better' : 'not-better';
    return {
      loss: this.#loss(this.#done),
      accuracy,
      interval: [Math.max(0, accuracy - 0.05), Math.min(1, accuracy + 0.05)],
      baseline: most.rows / rows.length,
      baselineLabel: most.label,
      perLabel,
      verdict,
      notes: ['The verdict, in a sentence.'],
      wrong,
      examples: rows.length,
    };
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy) seen.overlaps++;
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }
}

/** Reads the model type from `config.json`. A `.gguf` file counts as causal. */
async function readConfig(options: WasmCreateOptions): Promise<boolean> {
  if (options.files?.some(({ name }) => name.endsWith('.gguf')) || options.url?.endsWith('.gguf') || options.remote?.some(({ name }) => name.endsWith('.gguf'))) return true;
  let text: string;
  if (options.files !== undefined) {
    const file = options.files.find(({ name }) => name === 'config.json');
    if (file === undefined) throw failure('file-corrupt', 'config.json: the file is missing');
    text = await file.blob.text();
  } else {
    if (options.url?.startsWith('test:') === true) return false;
    const url = options.remote?.find(({ name }) => name === 'config.json')?.url ?? `${options.url}config.json`;
    const response = await fetch(url).catch(() => undefined);
    if (!response?.ok) throw failure('network', `${url}: ${response?.status ?? 'no answer'}`);
    text = await response.text();
  }
  try {
    const config = JSON.parse(text) as { model_type?: string };
    return config.model_type === 'llama';
  } catch {
    throw failure('file-corrupt', 'config.json: expected JSON');
  }
}
