/** A model with so many layers that a few of them are a small part of it, for tests of layers that stay in the browser's storage. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';

const TOKENIZER = resolve(import.meta.dirname, '../../tests/golden/bert/tokenizer.json');
/** A small model that writes. */
const CONFIG = {
  ...{ model_type: 'llama', architectures: ['LlamaForCausalLM'], hidden_act: 'silu', rms_norm_eps: 1e-5, rope_theta: 10000, tie_word_embeddings: true },
  ...{ hidden_size: 192, intermediate_size: 512, num_attention_heads: 6, num_key_value_heads: 6, vocab_size: 97, max_position_embeddings: 160 },
};

/** The file of the weights of a model with `layers` layers. The values are a sine wave. */
function weights(layers: number): Buffer {
  const { hidden_size: width, intermediate_size: inner } = CONFIG;
  const shapes: [string, number[]][] = [
    ['model.embed_tokens.weight', [CONFIG.vocab_size, width]],
    ['model.norm.weight', [width]],
  ];
  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}.`;
    for (const name of ['q', 'k', 'v', 'o']) shapes.push([`${at}self_attn.${name}_proj.weight`, [width, width]]);
    for (const name of ['gate', 'up']) shapes.push([`${at}mlp.${name}_proj.weight`, [inner, width]]);
    shapes.push([`${at}mlp.down_proj.weight`, [width, inner]]);
    for (const name of ['input', 'post_attention']) shapes.push([`${at}${name}_layernorm.weight`, [width]]);
  }
  let offset = 0;
  const header: Record<string, unknown> = {};
  for (const [name, shape] of shapes) {
    const bytes = 4 * shape.reduce((product, side) => product * side, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, (offset += bytes)] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const values = Float32Array.from({ length: offset / 4 }, (_, at) => 0.05 * Math.sin(at * 1.618));
  return Buffer.concat([length, text, Buffer.from(values.buffer)]);
}

/** The model in a folder of its own. */
export interface Deep {
  readonly folder: string;
  /** The names of its files. */
  readonly names: readonly string[];
  readonly paths: readonly string[];
  /** The bytes of its weights. */
  readonly size: number;
  remove(): void;
}

export function writeDeep(layers: number): Deep {
  const folder = mkdtempSync(join(tmpdir(), 'pocketllm-'));
  const tensors = weights(layers);
  const files: Record<string, Buffer> = { 'config.json': Buffer.from(JSON.stringify({ ...CONFIG, num_hidden_layers: layers })), 'tokenizer.json': readFileSync(TOKENIZER), 'model.safetensors': tensors };
  const names = Object.keys(files);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return { folder, names, paths: names.map((name) => join(folder, name)), size: tensors.length, remove: () => rmSync(folder, { recursive: true }) };
}

/** The number of files from which layers are being read. */
export const scratch = (page: Page): Promise<number> =>
  page.evaluate(async () => {
    const at = await (await (await navigator.storage.getDirectory()).getDirectoryHandle('pocketllm')).getDirectoryHandle('scratch', { create: true });
    let count = 0;
    for await (const _ of (at as unknown as { values(): AsyncIterable<unknown> }).values()) count++;
    return count;
  });
