/** The real engine in Node, for calls that need no GPU. */
import { readFileSync } from 'node:fs';
import type { WasmModule } from '../src/package/wasm.ts';

const PKG = new URL('../pkg/', import.meta.url);

export async function loadEngine(): Promise<WasmModule> {
  const module = (await import(/* @vite-ignore */ new URL('pocketllm.js', PKG).href)) as WasmModule & {
    default(options: { module_or_path: Uint8Array }): Promise<unknown>;
  };
  await module.default({ module_or_path: readFileSync(new URL('pocketllm_bg.wasm', PKG)) });
  return module;
}
