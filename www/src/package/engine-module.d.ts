/** The generated module; the build points this name at `pkg/pocketllm.js`. */
declare module 'pocketllm-engine' {
  import type { WasmTunerClass } from './wasm.js';
  export const Tuner: WasmTunerClass;
  export default function init(): Promise<unknown>;
}
