/**
 * Enforces the promise that no text leaves the device: once a person has entered texts, requests
 * to servers are blocked, and any that still happen are counted.
 */
import { byId } from './dom.ts';
import { plural } from './format.ts';

/**
 * On this channel workers, which have their own list of requests, report their counts and are told
 * to make no more requests.
 */
export const CHANNEL = 'pocketllm-requests';

let sealed = false;
let counted = 0;
const listeners: (() => void)[] = [];
const channel = new BroadcastChannel(CHANNEL);

/** Whether texts have been entered. */
export const isSealed = (): boolean => sealed;

/** Calls `listener` when texts are entered. */
export function onSeal(listener: () => void): void {
  listeners.push(listener);
}

/**
 * Called when texts have been entered. From then on the page can reach no other host, and its
 * worker cannot reach any.
 */
export function seal(): void {
  if (sealed) return;
  sealed = true;
  // Policies add up and cannot be removed, so this one restricts the page's own for good. A worker that begins
  // as a blob has the page's policy, and one that is fetched from this host may have none.
  const policy = document.createElement('meta');
  policy.httpEquiv = 'Content-Security-Policy';
  policy.content = "connect-src 'self'; worker-src blob:";
  document.head.append(policy);
  channel.postMessage('seal');
  channel.onmessage = ({ data }) => add(Number(data));
  // A response from this page's own cache has not used the network.
  const usedNetwork = (entry: PerformanceEntry): boolean =>
    entry instanceof PerformanceResourceTiming && (entry.transferSize > 0 || !entry.name.startsWith(location.origin)) && !entry.name.startsWith('blob:');
  new PerformanceObserver((list) => add(list.getEntries().filter(usedNetwork).length)).observe({ type: 'resource' });
  add(0);
  for (const listener of listeners) listener();
}

function add(many: number): void {
  counted += many;
  const place = byId('requests', HTMLElement);
  place.textContent = `The page has made ${plural(counted, 'network request')} since you entered them.`;
  place.dataset['count'] = String(counted);
}
