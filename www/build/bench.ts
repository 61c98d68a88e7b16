/** Adds the page `bench/` to the site, if its engine has been built (`www/build-wasm --bench`). Only visitors of that page download this engine. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Plugin } from 'vite';
import { withIntegrity } from './integrity.ts';

const ENGINE = resolve(import.meta.dirname, '../bench/pkg');
const TESTS = resolve(import.meta.dirname, '../../tests');
const VERSION = (JSON.parse(readFileSync(resolve(import.meta.dirname, '../package.json'), 'utf8')) as { version: string }).version;
/** The models whose logits are compared with those of transformers. */
const GOLDEN = ['bert', 'llama'];
const CONFIGS = ['minilm', 'smollm2-135m', 'roberta-large', 'opt-1.3b'];

export const HAS_BENCH = existsSync(`${ENGINE}/pocketllm_bg.wasm`);

export function bench(): Plugin {
  return {
    name: 'pocketllm:bench',
    apply: 'build',
    config: () => ({ define: { __VERSION__: JSON.stringify(VERSION) } }),
    // Without the page, the link to it is removed.
    transformIndexHtml: (html) => (HAS_BENCH ? html : html.replace(/\s*<p id="to-bench">.*?<\/p>/s, '')),
    generateBundle() {
      if (!HAS_BENCH) {
        this.warn('www/bench/pkg is missing, so the site is built without the page that measures a device');
        return;
      }
      const emit = (fileName: string, source: string | Uint8Array): unknown => this.emitFile({ type: 'asset', fileName: `bench/${fileName}`, source });
      const wasm = readFileSync(`${ENGINE}/pocketllm_bg.wasm`);
      emit('engine/pocketllm_bg.wasm', wasm);
      emit('engine/pocketllm.js', withIntegrity(readFileSync(`${ENGINE}/pocketllm.js`, 'utf8'), wasm));
      for (const name of CONFIGS) emit(`configs/${name}.json`, readFileSync(`${TESTS}/configs/${name}.json`));
      for (const model of GOLDEN) {
        for (const file of ['config.json', 'model.safetensors', 'cases.json', 'expected.safetensors']) emit(`golden/${model}/${file}`, readFileSync(`${TESTS}/golden/${model}/${file}`));
      }
    },
  };
}
