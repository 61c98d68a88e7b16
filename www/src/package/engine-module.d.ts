/** The generated module that computes on the GPU. The build resolves this name to `pkg/pocketllm.js`. */
declare module 'pocketllm-engine' {
  import type { WasmModule } from './wasm.js';
  export const Tuner: WasmModule['Tuner'];
  export const checkModel: WasmModule['checkModel'];
  export const plan: WasmModule['plan'];
  export const probe: WasmModule['probe'];
  export const readRows: WasmModule['readRows'];
  export const filesOf: WasmModule['filesOf'];
  export const fileNames: WasmModule['fileNames'];
  export default function init(): Promise<unknown>;
}

/** The generated module that computes on the processor. The build resolves this name to `pkg/pocketllm_cpu.js`. */
declare module 'pocketllm-engine-cpu' {
  import type { WasmModule } from './wasm.js';
  export const crewModule: WasmModule['crewModule'];
  export const joinCrew: WasmModule['joinCrew'];
  export * from 'pocketllm-engine';
  export { default } from 'pocketllm-engine';
}
