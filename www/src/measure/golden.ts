/** Compares a tiny model's logits with those that transformers computes, which are files of the site. */
import type { Golden } from './result.ts';

interface File {
  readonly name: string;
  readonly blob: Blob;
}

type Logits = (files: readonly File[], sequences: readonly Uint32Array[]) => Promise<Float32Array[]>;

/** The longest sequence that is compared. Longer ones are left out, so that the comparison takes a second. */
const MOST_TOKENS = 65;

export async function goldenOf(model: string, base: string, logits: Logits): Promise<Golden> {
  const blob = async (name: string): Promise<Blob> => {
    const response = await fetch(new URL(`golden/${model}/${name}`, base));
    if (!response.ok) throw new Error(`${model}/${name}: HTTP status ${response.status}`);
    return response.blob();
  };
  const [config, weights, cases, expected] = await Promise.all([blob('config.json'), blob('model.safetensors'), blob('cases.json'), blob('expected.safetensors')]);
  const { ids } = JSON.parse(await cases.text()) as { ids: number[][] };
  const sequences = ids.filter(({ length }) => length <= MOST_TOKENS).map((each) => Uint32Array.from(each));
  const found = await logits([{ name: 'config.json', blob: config }, { name: 'model.safetensors', blob: weights }], sequences);
  const tensors = safetensors(await expected.arrayBuffer());
  const differences = found.map((each, at) => deviations(each, tensors.get(`logits_${at}`) ?? new Float32Array()));
  return { model, difference: Math.max(...differences), cases: differences.length };
}

/** The tensors of a file in the format safetensors, which must all be f32. */
function safetensors(file: ArrayBuffer): Map<string, Float32Array> {
  const length = Number(new DataView(file).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, length))) as Record<string, { data_offsets: [number, number] }>;
  const data = 8 + length;
  const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__');
  return new Map(tensors.map(([name, { data_offsets: [from, to] }]) => [name, new Float32Array(file.slice(data + from, data + to))]));
}

/** The largest difference, in standard deviations of the expected values; infinite if a value is NaN or the numbers of values differ. */
export function deviations(found: Float32Array, expected: Float32Array): number {
  if (found.length !== expected.length || found.length === 0) return Number.POSITIVE_INFINITY;
  const mean = expected.reduce((sum, x) => sum + x, 0) / expected.length;
  const variance = expected.reduce((sum, x) => sum + (x - mean) ** 2, 0) / expected.length;
  const largest = found.reduce((most, x, at) => Math.max(most, Math.abs(x - (expected[at] ?? 0))), 0);
  return Number.isNaN(largest) ? Number.POSITIVE_INFINITY : largest / Math.sqrt(variance);
}
