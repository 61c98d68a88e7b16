/**
 * Closes the ways out of a tab that its content security policy leaves open. Both functions are run before
 * any other code of their realm, so that no other code can hold on to what they remove.
 */

/** What a page or a worker could use to reach other hosts, but this page never uses. */
const UNUSED = ['RTCPeerConnection', 'webkitRTCPeerConnection', 'WebTransport', 'WebSocket', 'WebSocketStream', 'EventSource', 'SharedWorker', 'PaymentRequest'];

/** The hash of the worker's script. The build replaces this text by it. */
export const WORKER_INTEGRITY = 'integrity-of-the-worker';

/**
 * Code of a worker: a guard, and then the module at this address, if it is the one that was built with this page. `channel`
 * is the name of the channel on which the worker reports.
 */
export function workerScript(address: string, channel: string): string {
  const unused = JSON.stringify([...UNUSED, 'XMLHttpRequest', 'Worker']);
  const from = JSON.stringify(address);
  const load = `() => fetch(${from}, { integrity: ${JSON.stringify(WORKER_INTEGRITY)} }).then(() => import(${from}))`;
  return `(${guardWorker})(() => (${remove})(${unused}), ${JSON.stringify(channel)}, ${load});`;
}

/** Removes these constructors permanently, including from their prototypes. */
function remove(names: readonly string[]): void {
  for (const name of names) {
    const made = (globalThis as unknown as Record<string, { readonly prototype: object } | undefined>)[name];
    if (made === undefined) continue;
    Object.defineProperty(made.prototype, 'constructor', { value: undefined, configurable: false });
    Object.defineProperty(globalThis, name, { value: undefined, writable: false, configurable: false });
  }
}

/**
 * Guards a worker. Until texts are entered it can do nothing but `fetch`, and afterwards not even that. A worker that
 * starts afterwards may still fetch from this host, because it has to load the engine. A worker
 * runs this function as text, so it refers to nothing outside of itself.
 */
function guardWorker(removeUnused: () => void, channelName: string, load: () => Promise<unknown>): void {
  removeUnused();
  let sealed = false;
  const refuse = (): Promise<never> => Promise.reject(new TypeError('this page makes no more requests, because texts have been entered'));
  const { fetch } = globalThis;
  const guarded: typeof fetch = (...request) => (sealed ? refuse() : fetch(...request));
  Object.defineProperty(globalThis, 'fetch', { value: guarded, writable: false, configurable: false });
  // A cache fetches too.
  for (const name of ['add', 'addAll']) Object.defineProperty(Cache.prototype, name, { value: refuse, writable: false, configurable: false });

  const channel = new BroadcastChannel(channelName);
  const usedNetwork = (entry: PerformanceEntry): boolean => (entry as PerformanceResourceTiming).transferSize > 0 || !entry.name.startsWith(location.origin);
  new PerformanceObserver((list) => channel.postMessage(list.getEntries().filter(usedNetwork).map(({ startTime }) => performance.timeOrigin + startTime))).observe({ type: 'resource' });
  channel.onmessage = ({ data }) => (sealed ||= data === 'seal');

  // Messages that arrive before the module listens are kept for it.
  const early: unknown[] = [];
  const keep = ({ data }: MessageEvent): unknown => early.push(data);
  addEventListener('message', keep);
  load().then(
    () => {
      removeEventListener('message', keep);
      for (const data of early) dispatchEvent(new MessageEvent('message', { data }));
    },
    // Thrown outside the promise, the error reaches the page as an event of the worker.
    (error: unknown) => setTimeout(() => {
      throw error;
    }),
  );
}

/** Guards the page: it opens no windows, does not leave for another host, and makes no connections but by `fetch`, which its policy restricts. */
export function guardPage(): void {
  remove(UNUSED);
  const refuse = (): null => null;
  Object.defineProperty(window, 'open', { value: refuse, writable: false, configurable: false });
  const elsewhere = (address: string): boolean => {
    const { origin, protocol } = new URL(address, document.baseURI);
    return origin !== location.origin && protocol !== 'blob:';
  };
  // Links and scripts navigate this window. The browser's own controls do not cause this event.
  (window as unknown as { navigation?: EventTarget }).navigation?.addEventListener('navigate', (event) => {
    const { destination } = event as Event & { destination: { url: string } };
    if (elsewhere(destination.url)) event.preventDefault();
  });
  // A link may open another window, and it need not be part of the document.
  const leads = (target: EventTarget | null): boolean => {
    const link = target instanceof Element ? target.closest<HTMLAnchorElement | HTMLAreaElement | SVGAElement>('a, area') : null;
    if (link === null) return false;
    const to = link instanceof SVGAElement ? link.href.baseVal : link.href;
    return to !== '' && elsewhere(to);
  };
  window.addEventListener('click', (event) => leads(event.composedPath()[0] ?? null) && event.preventDefault(), { capture: true });
  window.addEventListener('auxclick', (event) => leads(event.composedPath()[0] ?? null) && event.preventDefault(), { capture: true });
  const { click } = HTMLElement.prototype;
  HTMLElement.prototype.click = function () {
    if (!leads(this)) click.call(this);
  };
  const { dispatchEvent } = EventTarget.prototype;
  EventTarget.prototype.dispatchEvent = function (event) {
    return leads(this) ? false : dispatchEvent.call(this, event);
  };
  // The page's forms are handled by its scripts and never sent.
  HTMLFormElement.prototype.submit = () => undefined;
}
