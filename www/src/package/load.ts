import init, { checkModel, fileNames, filesOf, plan, probe, readRows, Tuner } from 'pocketllm-engine';
import { Engine } from './engine.js';
import { PocketError, toError } from './errors.js';
import type { WasmModule } from './wasm.js';

let loading: Promise<WasmModule> | undefined;

/**
 * Downloads and starts the WebAssembly module, once per thread. After a failure it can be tried
 * again.
 */
function loadModule(): Promise<WasmModule> {
  loading ??= init().then(
    () => ({ Tuner, checkModel, plan, probe, readRows, filesOf, fileNames }),
    (thrown: unknown) => {
      loading = undefined;
      throw asLoadError(thrown);
    },
  );
  return loading;
}

function asLoadError(thrown: unknown): Error {
  const error = toError(thrown);
  if (error instanceof PocketError) return error;
  if (error instanceof WebAssembly.CompileError || error instanceof WebAssembly.LinkError) {
    return new PocketError('file-corrupt', `pocketllm_bg.wasm: ${error.message}`, { cause: error });
  }
  if (error instanceof RangeError) {
    return new PocketError('out-of-memory', `pocketllm_bg.wasm: ${error.message}`, { cause: error });
  }
  return new PocketError('network', `pocketllm_bg.wasm could not be loaded, or it is not the file that belongs to this package: ${error.message}`, { cause: error });
}

/** Creates an engine in this thread. */
export function localEngine(): Engine {
  return new Engine(loadModule);
}
