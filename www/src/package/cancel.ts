/** The cancel flag of the engine, which it reads between two passes. */
import type { CallHooks } from './protocol.js';
import type { Cancel } from './wasm.js';

/** Does `work` with the engine's cancel flag, which follows the signal while the work lasts, and with a function that reports progress. */
export async function withCancel<T>({ signal, onProgress }: CallHooks, work: (cancel: Cancel, onProgress: NonNullable<CallHooks['onProgress']>) => Promise<T>): Promise<T> {
  const cancel: Cancel = { aborted: signal?.aborted ?? false, ...(signal === undefined ? {} : { signal }) };
  const onAbort = (): void => {
    cancel.aborted = true;
  };
  signal?.addEventListener('abort', onAbort);
  try {
    return await work(cancel, (progress) => onProgress?.(progress));
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
