/** The worker in which the engine runs. */
import workerUrl from 'pocketllm/worker?worker&url';
import { workerScript } from './guard.ts';
import { CHANNEL } from './privacy.ts';

/**
 * A worker fetched by its address obeys only the headers it came with, and a static host sends
 * none. One that begins as a blob inherits this page's policy, so it too can reach no other host.
 */
export function confinedWorker(): Worker {
  const script = workerScript(new URL(workerUrl, import.meta.url).href, CHANNEL);
  const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
  const worker = new Worker(url, { type: 'module', name: 'pocketllm' });
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return worker;
}
