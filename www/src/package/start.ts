/** Starts the engine: in a worker, or in this thread. */
import { PocketError } from './errors.js';
import { Remote, type CallName, type Calls, type Endpoint, type Result } from './protocol.js';
import type { CreateOptions } from './types/model.js';

/** Makes one call on an engine that is started for it. */
export async function once<K extends CallName>(
  worker: NonNullable<CreateOptions['worker']>,
  name: K,
  args: Parameters<Calls[K]>,
  signal: AbortSignal | undefined,
): Promise<Result<K>> {
  const endpoint = await startEngine(worker);
  try {
    return await endpoint.call(name, args, { signal });
  } finally {
    void endpoint.close();
  }
}

export async function startEngine(worker: NonNullable<CreateOptions['worker']>): Promise<Endpoint> {
  if (worker === false) return (await import('./load.js')).localEngine();
  const start = (): Worker => {
    const made = typeof worker === 'function' ? worker() : startWorker();
    if (typeof made?.postMessage !== 'function') throw new PocketError('invalid-argument', 'create: expected the worker function to return a Worker');
    return made;
  };
  return new Remote(start);
}

function startWorker(): Worker {
  try {
    return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'pocketllm' });
  } catch {
    // The script of a worker must come from the page's own origin, but it may import this package
    // from another host.
    const script = `import ${JSON.stringify(import.meta.url.replace(/[^/]*$/, 'worker.js'))};`;
    const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
    return new Worker(url, { type: 'module', name: 'pocketllm' });
  }
}
