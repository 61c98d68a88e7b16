/** Measures this device before a model is downloaded for it. */
import { PocketError, probeDevice } from 'pocketllm';
import { memoryName } from './device.ts';
import { t } from './text.ts';
import { confinedWorker } from './worker.ts';

let measured: Promise<number | undefined> | undefined;

/** Operations per second, measured once in a visit; `undefined` if that fails. */
export function measureDevice(): Promise<number | undefined> {
  measured ??= probeDevice({ worker: confinedWorker }).then(
    ({ flops }) => flops,
    () => undefined,
  );
  return measured;
}

/** Tests by allocation whether the device has this many bytes of memory, and describes the result. `tight` is true if it does not. */
export async function tryMemory(bytes: number, signal: AbortSignal): Promise<{ sentences: string[]; tight: boolean }> {
  const memory = await memoryName();
  try {
    await probeDevice({ bytes, signal, worker: confinedWorker });
    return { sentences: [t.device.hasMemory(memory)], tight: false };
  } catch (error) {
    // When memory is short, some systems take the GPU away.
    const short = error instanceof PocketError && ['out-of-memory', 'device-lost', 'limit-exceeded'].includes(error.code);
    if (!short) return { sentences: [], tight: false };
    return { sentences: [t.device.lacksMemory(memory)], tight: true };
  }
}
