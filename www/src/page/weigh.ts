/** Says what a model needs and what this device has, before it is loaded, and which precision suits both. */
import { planTraining, type CreateOptions, type DType, type MemoryPlan, type ModelSize, type PlanOptions } from 'pocketllm';
import { hasWebGpu, memoryHere, memoryName, need, TAB_MEMORY } from './device.ts';
import { announce, el } from './dom.ts';
import { bytes, duration, joined } from './format.ts';
import { measureDevice, tryMemory } from './probe.ts';
import { NoTokenizer } from './problem.ts';
import { t } from './text.ts';
import { confinedWorker } from './worker.ts';

/** The files that have a tokenizer, as the engine knows them (`src/text/tokenizer_files`). */
const TOKENIZERS = ['tokenizer.json', 'vocab.json', 'vocab.txt', 'tokenizer.model', 'spiece.model', 'sentencepiece.bpe.model', 'spm.model'];

/** Whether files with these names are a whole model but for the tokenizer. A GGUF file has its own. */
export function lacksTokenizer(names: readonly string[]): boolean {
  const hasWeights = names.includes('config.json') && names.some((name) => /\.(safetensors|bin)$/.test(name));
  return hasWeights && !names.some((name) => TOKENIZERS.includes(name) || /\.gguf$/i.test(name));
}

/** A model on the hub, or files of it. */
export interface Weighed {
  readonly model: string | File[];
  readonly access: Access;
  /** Asks the hub for the size of the model. */
  readonly inspect: ((signal: AbortSignal) => Promise<ModelSize>) | undefined;
}

type Access = Pick<CreateOptions, 'token'>;

/** The defaults of step 3: examples in a step, also for an adapter of a model that writes, and the tokens of the longest. */
const [BATCH, ADAPTER_BATCH, LENGTH] = [16, 4, 128];
/** A training by steps is too slow if a thousand of them take longer than this many seconds. */
const PATIENCE = 3600;
const STEPS = 1000;
/** The part of a device's memory that a training may take. */
const PART = 0.5;

/**
 * Shows in `place` what the model needs. `choose` is called with the precision in which it can be trained here, unless `held` is a
 * person's own choice. `tries` says whether to allocate the memory for a moment. Rejects if the model does not work here.
 */
export async function weigh({ model, access, inspect }: Weighed, place: HTMLElement, held: DType, choose: ((dtype: DType) => void) | undefined, signal: AbortSignal, tries: boolean): Promise<void> {
  place.replaceChildren(el('p', {}, t.tasks.checking));
  const size = await inspect?.(signal);
  if (size !== undefined && lacksTokenizer(size.files.map(({ name }) => name))) throw new NoTokenizer(size.name);
  const planned = (dtype: DType): Promise<MemoryPlan> => plan({ model, ...access, dtype, maxLength: LENGTH, signal, worker: confinedWorker });
  let plannedNow = await planned(held);
  const sentences: string[] = [];
  if (choose !== undefined && held === 'f32') {
    const reason = await tooMuch(plannedNow, await writes(model, access, signal));
    if (reason !== undefined && !signal.aborted) {
      choose('q4');
      plannedNow = await planned('q4');
      sentences.push(reason);
    }
  }
  const found = await need(size, plannedNow);
  const tell = (all: readonly string[], bad: boolean): void => {
    place.replaceChildren(...all.map((sentence) => el('p', {}, sentence)));
    place.classList.toggle('tight', bad);
  };
  sentences.push(...found.sentences);
  tell([...sentences, ...(tries ? [t.tasks.trying(await memoryName())] : [])], found.tight);
  announce(joined(sentences));
  if (!tries) return;
  const tried = await tryMemory(plannedNow.peak, signal);
  if (signal.aborted) return;
  tell([...sentences, ...tried.sentences], found.tight || tried.tight);
  announce(joined(tried.sentences));
}

/** The memory of a training under the defaults of step 3: of an adapter if the weights are quantized, otherwise of every weight. */
async function plan(options: Omit<PlanOptions, 'method' | 'batchSize'>): Promise<MemoryPlan> {
  const [method, batchSize] = options.dtype?.startsWith('q') === true ? (['lora', ADAPTER_BATCH] as const) : (['full', BATCH] as const);
  // A sentence encoder cannot be trained by steps, and learns as a readout.
  return planTraining({ ...options, method, batchSize }).catch(() => planTraining({ ...options, method: 'readout' }));
}

/** Why every weight of a model cannot be trained in 32 bits here: a full sentence, or nothing if it can. */
async function tooMuch({ peak, weights }: MemoryPlan, isWriter: boolean): Promise<string | undefined> {
  const most = (await hasWebGpu()) ? memoryHere() * PART : Math.min(TAB_MEMORY, memoryHere() * PART);
  if (peak > most) return t.tasks.tooLarge(bytes(peak));
  if (!isWriter) return undefined;
  const flops = await measureDevice();
  if (flops === undefined) return undefined;
  // A step passes the batch twice, and each weight multiplies each token once.
  const seconds = ((2 * weights) / 4 / flops) * 2 * BATCH * (LENGTH / 2) * STEPS;
  return seconds > PATIENCE ? t.tasks.tooSlow(duration(seconds)) : undefined;
}

/** Whether a model continues texts, by its name or its configuration. Only such a model is trained by steps in the first place. */
async function writes(model: string | File[], { token }: Access, signal: AbortSignal): Promise<boolean> {
  const names = typeof model === 'string' ? [model] : model.map(({ name }) => name);
  if (names.some((name) => /gguf/i.test(name))) return true;
  try {
    const config = typeof model === 'string' ? await hubConfig(model, token, signal) : await model.find(({ name }) => name === 'config.json')?.text();
    const { architectures = [] } = JSON.parse(config ?? '{}') as { architectures?: string[] };
    return architectures.some((name) => /(ForCausalLM|LMHeadModel)$/.test(name));
  } catch {
    return false;
  }
}

async function hubConfig(id: string, token: string | undefined, signal: AbortSignal): Promise<string | undefined> {
  if (!/^[\w.-]+\/[\w.-]+$/.test(id)) return undefined;
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`https://huggingface.co/${id}/resolve/main/config.json`, { headers, signal });
  return response.ok ? response.text() : undefined;
}
