/** The generated module; the build points this name at `pkg/pocketllm.js`. */
declare module 'pocketllm-engine' {
  import type { WasmModule } from './wasm.js';
  export const Tuner: WasmModule['Tuner'];
  export const plan: WasmModule['plan'];
  export default function init(): Promise<unknown>;
}
