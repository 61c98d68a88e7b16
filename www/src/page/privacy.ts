/** The promise that no text leaves the device, kept and counted: once a person's texts are in, nothing more is asked of any server. */
import { byId } from './dom.ts';
import { plural } from './format.ts';

/** Workers, which have a list of requests of their own, tell it here; and hear here that they are to ask for nothing more. */
const CHANNEL = 'pocketllm-requests';

/** Prepended to a worker's script, so that its requests are counted and can be forbidden too. */
export const WATCH = `{
  const channel = new BroadcastChannel(${JSON.stringify(CHANNEL)});
  const away = (entry) => entry.transferSize > 0 || !entry.name.startsWith(location.origin);
  new PerformanceObserver((list) => channel.postMessage(list.getEntries().filter(away).length)).observe({ type: 'resource' });
  channel.onmessage = ({ data }) => {
    if (data !== 'seal') return;
    const refuse = () => Promise.reject(new TypeError('this page asks for nothing more since texts have been entered'));
    Object.assign(globalThis, { fetch: refuse, XMLHttpRequest: undefined, WebSocket: undefined, EventSource: undefined });
  };
}`;

let sealed = false;
let counted = 0;
const listeners: (() => void)[] = [];
const channel = new BroadcastChannel(CHANNEL);

/** Whether texts have been entered. */
export const isSealed = (): boolean => sealed;

/** Calls `listener` when they are. */
export function onSeal(listener: () => void): void {
  listeners.push(listener);
}

/** Texts have been entered: from now on this page can reach no other host, and its worker nothing at all. */
export function seal(): void {
  if (sealed) return;
  sealed = true;
  // Policies add up: this one narrows the page's own, for good.
  const policy = document.createElement('meta');
  policy.httpEquiv = 'Content-Security-Policy';
  policy.content = "connect-src 'self'";
  document.head.append(policy);
  channel.postMessage('seal');
  channel.onmessage = ({ data }) => add(Number(data));
  // What came from this page's own cache has not touched the network.
  const away = (entry: PerformanceEntry): boolean =>
    entry instanceof PerformanceResourceTiming && (entry.transferSize > 0 || !entry.name.startsWith(location.origin)) && !entry.name.startsWith('blob:');
  new PerformanceObserver((list) => add(list.getEntries().filter(away).length)).observe({ type: 'resource' });
  add(0);
  for (const listener of listeners) listener();
}

function add(many: number): void {
  counted += many;
  const place = byId('requests', HTMLElement);
  place.textContent = `${plural(counted, 'request')} since they came in.`;
  place.dataset['count'] = String(counted);
}
