/**
 * Enforces the promise that no text leaves the device: once a person has entered texts, requests
 * to servers are blocked, and any that still happen are counted.
 */
import { byId } from './dom.ts';
import { t } from './text.ts';

/**
 * The channel on which workers report when each of their requests began, because the page's list does
 * not have them. On it, the page also tells workers to make no more requests. Each page has its own, because a
 * name reaches all tabs of this host.
 */
export const CHANNEL = `pocketllm-requests-${crypto.getRandomValues(new Uint32Array(4)).join('-')}`;

/** When texts were entered, and when each network request began, in milliseconds since 1970. */
let sealedAt: number | undefined;
const requests: number[] = [];
const listeners: (() => void)[] = [];
const channel = new BroadcastChannel(CHANNEL);

/** Now, on the clock of {@link requestsSince}. */
export const now = (): number => performance.timeOrigin + performance.now();

/** Number of network requests of the page and its worker that began at this time or later. */
export const requestsSince = (time: number): number => requests.filter((began) => began >= time).length;

/** Whether texts have been entered. */
export const isSealed = (): boolean => sealedAt !== undefined;

/** Calls `listener` when texts are entered. */
export function onSeal(listener: () => void): void {
  listeners.push(listener);
}

/** Counts the network requests from now on. */
export function watchRequests(): void {
  channel.onmessage = ({ data }) => Array.isArray(data) && add(data as number[]);
  // A response from this page's own cache has not used the network.
  const usedNetwork = (entry: PerformanceEntry): boolean =>
    entry instanceof PerformanceResourceTiming && (entry.transferSize > 0 || !entry.name.startsWith(location.origin)) && !entry.name.startsWith('blob:');
  new PerformanceObserver((list) => add(list.getEntries().filter(usedNetwork).map(({ startTime }) => performance.timeOrigin + startTime))).observe({ type: 'resource' });
}

/**
 * Called when texts have been entered. From then on the page can reach no other host, and its
 * workers cannot reach any. A worker that starts later reaches this host, for the engine and for a model of this page.
 */
export function seal(): void {
  if (sealedAt !== undefined) return;
  sealedAt = now();
  // Policies add up and cannot be removed, so this one restricts the page's own for good. A worker that begins
  // as a blob has the page's policy, and one that is fetched from this host may have none.
  const policy = document.createElement('meta');
  policy.httpEquiv = 'Content-Security-Policy';
  policy.content = "connect-src 'self'; worker-src blob:";
  document.head.append(policy);
  channel.postMessage('seal');
  add([]);
  for (const listener of listeners) listener();
}

function add(began: readonly number[]): void {
  requests.push(...began);
  if (sealedAt === undefined) return;
  const many = requestsSince(sealedAt);
  const place = byId('requests', HTMLElement);
  place.textContent = t.proof.made(many);
  place.dataset['count'] = String(many);
}
