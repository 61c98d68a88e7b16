import * as gpu from 'pocketllm-engine';
import * as cpu from 'pocketllm-engine-cpu';
import { Crew, helpers, sharedMemory, type Joining } from './crew.js';
import { Engine } from './engine.js';
import { PocketError, toError } from './errors.js';
import type { Device } from './types/model.js';
import type { WasmModule } from './wasm.js';

/**
 * The module of each device, with the name of its WebAssembly. Both are imported in full, although only one is started, because a
 * bundler may not be able to split the script of a worker. The WebAssembly is downloaded when a module is started.
 */
const MODULES = {
  gpu: { module: gpu, file: 'pocketllm_bg.wasm' },
  cpu: { module: cpu, file: 'pocketllm_cpu_bg.wasm' },
};

const loading = new Map<Device, Promise<WasmModule>>();

/**
 * Downloads and starts the WebAssembly module of a device, once per thread. After a failure it can be tried
 * again.
 */
function loadModule(device: Device): Promise<WasmModule> {
  const before = loading.get(device);
  if (before !== undefined) return before;
  const { module, file } = MODULES[device];
  const started = module.default().then(
    () => module,
    (thrown: unknown) => {
      loading.delete(device);
      throw asLoadError(thrown, file);
    },
  );
  loading.set(device, started);
  return started;
}

function asLoadError(thrown: unknown, file: string): Error {
  const error = toError(thrown);
  if (error instanceof PocketError) return error;
  if (error instanceof WebAssembly.CompileError || error instanceof WebAssembly.LinkError) {
    return new PocketError('file-corrupt', `${file}: ${error.message}`, { cause: error });
  }
  if (error instanceof RangeError) {
    return new PocketError('out-of-memory', `${file}: ${error.message}`, { cause: error });
  }
  return new PocketError('network', `${file} could not be loaded, or it is not the file that belongs to this package: ${error.message}`, { cause: error });
}

/**
 * Creates an engine in this thread. `ask` requests `count` further threads, with which the engine on the processor shares its work
 * where the browser allows it. The thread of a page must not wait for other threads, so it does not pass `ask`.
 */
export function localEngine(ask?: (joining: Joining, count: number) => void): Engine {
  let asked = ask === undefined;
  const gather = (engine: WasmModule): void => {
    const [count, module] = [helpers(), engine.crewModule?.()];
    if (asked || count < 1 || module === undefined) return;
    asked = true;
    const memory = sharedMemory();
    if (memory === undefined) return;
    engine.joinCrew?.(new Crew({ module, memory }));
    ask?.({ module, memory }, count);
  };
  return new Engine(async (device, computes) => {
    const engine = await loadModule(device);
    if (computes) gather(engine);
    return engine;
  });
}
