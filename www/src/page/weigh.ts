/** Says what a model needs and what this device has, before it is loaded, and which precision suits both. */
import type { MemoryPlan, ModelSize } from 'pocketllm';
import { hasWebGpu, memoryHere, memoryName, need, TAB_MEMORY } from './device.ts';
import { announce, el } from './dom.ts';
import { bytes, duration, joined } from './format.ts';
import { BATCH, LENGTH, plan, writes, type Access } from './plan.ts';
import { measureDevice, tryMemory } from './probe.ts';
import { NoTokenizer } from './problem.ts';
import type { Held } from './state.ts';
import { offerStreaming } from './streaming.ts';
import { t } from './text.ts';

/** The files that have a tokenizer, as the engine knows them (`src/text/tokenizer_files`). */
const TOKENIZERS = ['tokenizer.json', 'vocab.json', 'vocab.txt', 'tokenizer.model', 'spiece.model', 'sentencepiece.bpe.model', 'spm.model'];

/** Whether files with these names are a whole model except for the tokenizer. A GGUF file has its own tokenizer. */
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

/** A training by steps is too slow if a thousand of them take longer than this many seconds. */
const PATIENCE = 3600;
const STEPS = 1000;
/** The part of a device's memory that a training may take. */
const PART = 0.5;

/**
 * Shows in `place` what the model needs. `choose` is called with the precision in which it can be trained here, unless that is a
 * person's own choice. With `stream`, the memory is allocated for a moment; where it is short, the page offers to keep the layers in
 * storage, and calls `stream` if the person agrees. Rejects if the model does not work here.
 */
export async function weigh({ model, access, inspect }: Weighed, place: HTMLElement, held: Held, choose: ((held: Held) => void) | undefined, signal: AbortSignal, stream?: () => void): Promise<void> {
  place.replaceChildren(el('p', {}, t.tasks.checking));
  const size = await inspect?.(signal);
  if (size !== undefined && lacksTokenizer(size.files.map(({ name }) => name))) throw new NoTokenizer(size.name);
  const subject = { model, access, isWriter: await writes(model, access, signal) };
  let now = held;
  let planned = await plan(subject, now, signal);
  const sentences: string[] = [];
  if (choose !== undefined && held.dtype === 'f32' && held.streamed !== true) {
    const reason = await tooMuch(planned, subject.isWriter);
    if (reason !== undefined && !signal.aborted) {
      choose((now = { dtype: 'q4' }));
      planned = await plan(subject, now, signal);
      sentences.push(reason);
    }
  }
  const found = await need(size, planned);
  sentences.push(...found.sentences);
  const warnings = [...found.warnings];
  if (now.streamed === true) {
    // The file of the layers is at most as large as the weights.
    const { peak, weights } = await plan(subject, { dtype: now.dtype }, signal);
    sentences.push(t.stream.takes(peak, weights));
    if (weights > found.free && !warnings.includes(t.device.storageShort)) warnings.push(t.device.storageShort);
  }
  // Another model may have been named in the meantime.
  if (signal.aborted) return;
  // The result of the memory trial comes last, and has the color of a warning only if it is one.
  const tell = (trial: readonly string[], bad: boolean): void => {
    const lines = (all: readonly string[], warn: boolean): HTMLElement[] => all.map((sentence) => el('p', warn ? { class: 'warning' } : {}, sentence));
    place.replaceChildren(...lines(sentences, false), ...lines(warnings, true), ...lines(trial, bad));
  };
  tell(stream === undefined ? [] : [t.tasks.trying(await memoryName())], false);
  announce(joined([...sentences, ...warnings]));
  if (stream === undefined) return;
  const trying = place.lastElementChild;
  const tried = await tryMemory(planned.peak, signal);
  if (signal.aborted) {
    // Nothing is being tried any more, but a later call may have filled the place with its own lines.
    trying?.remove();
    return;
  }
  tell(tried.sentences, tried.tight);
  announce(joined(tried.sentences));
  if (now.streamed === true || !(found.short || tried.tight)) return;
  await offerStreaming(place, { subject, from: now, planned, to: { ...now, streamed: true }, free: found.free, tries: true, signal, go: stream });
}

/** Why not all weights of a model can be trained in 32 bits here: a full sentence, or `undefined` if they can. */
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
