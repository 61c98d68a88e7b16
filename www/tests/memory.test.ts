/** Tests that loading a 500 MB model from a picked file, in either format, does not use as much WebAssembly memory. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FAKE, openSite, PACKAGE, pick, visitPackage, type Site } from './browser.ts';
import { writePickle } from './pickle.ts';

const LIMIT = 64 * 2 ** 20;
const CONFIG = {
  model_type: 'llama',
  architectures: ['LlamaForCausalLM'],
  hidden_size: 1024,
  intermediate_size: 2816,
  num_hidden_layers: 8,
  num_attention_heads: 16,
  num_key_value_heads: 16,
  vocab_size: 32000,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: 'silu',
  tie_word_embeddings: true,
};

/** The tensor names and shapes of Hugging Face's Llama. */
function tensors(): [string, number[]][] {
  const { hidden_size: width, intermediate_size: inner } = CONFIG;
  const all: [string, number[]][] = [
    ['model.embed_tokens.weight', [CONFIG.vocab_size, width]],
    ['model.norm.weight', [width]],
  ];
  for (let layer = 0; layer < CONFIG.num_hidden_layers; layer++) {
    const at = `model.layers.${layer}.`;
    for (const name of ['q', 'k', 'v', 'o']) all.push([`${at}self_attn.${name}_proj.weight`, [width, width]]);
    for (const name of ['gate', 'up']) all.push([`${at}mlp.${name}_proj.weight`, [inner, width]]);
    all.push([`${at}mlp.down_proj.weight`, [width, inner]]);
    for (const name of ['input', 'post_attention']) all.push([`${at}${name}_layernorm.weight`, [width]]);
  }
  return all;
}

const piece = Buffer.from(Float32Array.from({ length: 2 ** 18 }, (_, at) => 0.02 * Math.sin(at * 1.618)).buffer);

/**
 * Writes the file as repetitions of one pattern of small weights, and returns its size in bytes.
 */
function writeModel(path: string): number {
  let offset = 0;
  const header: Record<string, unknown> = {};
  for (const [name, shape] of tensors()) {
    const bytes = 4 * shape.reduce((product, side) => product * side, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, (offset += bytes)] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, 'w');
  writeSync(file, length);
  writeSync(file, text);
  for (let left = offset; left > 0; left -= piece.length) writeSync(file, piece, 0, Math.min(left, piece.length));
  closeSync(file);
  return 8 + text.length + offset;
}

let site: Site;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pocketllm-'));
  site = await openSite({ root: PACKAGE, port: 41733, gpu: true });
});
afterAll(async () => {
  await site?.close();
  if (folder) rmSync(folder, { recursive: true });
});

test.skipIf(FAKE).each(['model.safetensors', 'pytorch_model.bin'])('loading 500 MB of %s takes at most 64 MiB of WebAssembly memory', { timeout: 300_000 }, async (name) => {
  const path = join(folder, name);
  const size = name === 'model.safetensors' ? writeModel(path) : writePickle(path, tensors(), piece);
  expect(size).toBeGreaterThan(500e6);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(CONFIG));
  const { context, page, module } = await visitPackage(site);
  const files = await pick(page, ['config.json', name].map((each) => join(folder, each)));
  const began = Date.now();
  const info = await page.evaluate(
    async ({ module, files }) => {
      const tuner = await module.FineTuner.create({ model: files, limits: 'default' });
      const info = tuner.info;
      await tuner.dispose();
      return info;
    },
    { module, files },
  );
  const seconds = (Date.now() - began) / 1000;
  console.log(
    `${size} bytes, ${info.parameters} parameters, loaded in ${seconds.toFixed(1)} s: ` +
      `WebAssembly ${info.wasmBytes} bytes, GPU peak ${info.gpuBytes.peak} bytes`,
  );
  expect(info.gpuBytes.weights).toBeGreaterThan(500e6);
  expect(info.wasmBytes).toBeLessThanOrEqual(LIMIT);
  await context.close();
});
