/** The memory that the training of a model takes, according to the engine's own plan. */
import { planTraining, type CreateOptions, type MemoryPlan } from 'pocketllm';
import type { Held, Sizes } from './state.ts';
import { confinedWorker } from './worker.ts';

/** The defaults of step 3: examples per step, examples per step for an adapter of a model that writes, and tokens of the longest example. */
export const BATCH = 16;
const ADAPTER_BATCH = 4;
export const LENGTH = 128;

export type Access = Pick<CreateOptions, 'token'>;

/** A model and how it is trained. */
export interface Subject {
  readonly model: string | readonly File[];
  readonly access: Access;
  /** Whether it continues texts. */
  readonly isWriter: boolean;
  /** What the person has chosen in step 3, instead of its defaults. */
  readonly sizes?: Sizes | undefined;
}

/** Whether only an adapter or a readout can be trained, because changed weights cannot be written back. */
export const isFrozen = (dtype: string, streamed: boolean): boolean => streamed || dtype.startsWith('q');

/** The memory of a training: of an adapter if the weights are frozen, otherwise of all weights. */
export async function plan({ model, access, isWriter, sizes }: Subject, { dtype, streamed = false }: Held, signal: AbortSignal): Promise<MemoryPlan> {
  const frozen = isFrozen(dtype, streamed);
  const { batchSize, maxLength } = sizes ?? { batchSize: frozen && isWriter ? ADAPTER_BATCH : BATCH, maxLength: LENGTH };
  const options = { model, ...access, dtype, streamLayers: streamed, maxLength, signal, worker: confinedWorker };
  // A sentence encoder cannot be trained by steps, and learns as a readout.
  return planTraining({ ...options, batchSize, method: frozen ? 'lora' : 'full' }).catch(() => planTraining({ ...options, method: 'readout' }));
}

/** Whether a model continues texts, by its name or its configuration. Only such a model is trained by steps in the first place. */
export async function writes(model: Subject['model'], { token }: Access, signal: AbortSignal): Promise<boolean> {
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
