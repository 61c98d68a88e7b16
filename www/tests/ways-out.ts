/**
 * Ways in which a page or a worker could send something to another host, each as a function to run
 * there, and listeners that notice whatever arrives.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The destination of a way. Each way has its own port, so that an arrival shows which way it took. */
export interface Address {
  readonly url: string;
  /** The same host and port without the scheme. */
  readonly host: string;
  /** A host name that is used in DNS requests only. */
  readonly name: string;
  /** The address of the site, and of the script of its worker. */
  readonly site: string;
  readonly workerScript: string;
}

export type Way = (to: Address) => unknown;

/** An element that fetches something when it is added to the document. `$` stands for the address. */
const element = (tag: string, attributes: Record<string, string>, text = ''): Way =>
  // The browser receives the source of the function, so the values are written into it.
  new Function(
    'to',
    `const put = (text) => text.replaceAll('$name', to.name).replaceAll('$', to.url);
    const made = ${JSON.stringify(tag)}.startsWith('svg:') ? document.createElementNS('http://www.w3.org/2000/svg', ${JSON.stringify(tag.slice(4))}) : document.createElement(${JSON.stringify(tag)});
    for (const [name, value] of Object.entries(${JSON.stringify(attributes)})) made.setAttribute(name, put(value));
    made.textContent = put(${JSON.stringify(text)});
    const place = made instanceof SVGElement ? document.body.appendChild(document.createElementNS('http://www.w3.org/2000/svg', 'svg')) : /^(LINK|META|STYLE|SCRIPT)$/.test(made.tagName) ? document.head : document.body;
    place.append(made);`,
  ) as Way;

/** A blob worker that runs this code, in which `to` is the address. */
const nested = (code: string, type: WorkerType = 'classic'): Way =>
  new Function(
    'to',
    `const blob = new Blob(['const to = ' + JSON.stringify(to) + ';' + ${JSON.stringify(code)}], { type: 'text/javascript' });
    globalThis.nestedWorkers = [...(globalThis.nestedWorkers ?? []), new Worker(URL.createObjectURL(blob), { type: ${JSON.stringify(type)} })];`,
  ) as Way;

/** Ways that a page and a worker share. */
export const SHARED: Readonly<Record<string, Way>> = {
  fetch: ({ url }) => void fetch(url).catch(() => undefined),
  'fetch without CORS': ({ url }) => void fetch(url, { mode: 'no-cors', method: 'POST', body: 'text' }).catch(() => undefined),
  'fetch with keepalive': ({ url }) => void fetch(url, { keepalive: true, mode: 'no-cors' }).catch(() => undefined),
  XMLHttpRequest: ({ url }) => {
    const request = new XMLHttpRequest();
    request.open('POST', url);
    request.send('text');
  },
  WebSocket: ({ url }) => void new WebSocket(url.replace('http', 'ws')),
  EventSource: ({ url }) => void new EventSource(url),
  WebTransport: ({ host }) => {
    const transport = new (globalThis as unknown as { WebTransport: new (url: string) => { ready: Promise<void>; closed: Promise<void> } }).WebTransport(`https://${host}/`);
    transport.ready.catch(() => undefined);
    transport.closed.catch(() => undefined);
  },
  'import()': new Function('to', 'import(to.url).catch(() => undefined)') as Way,
  'FontFace.load': ({ url }) => void new FontFace('Stranger', `url(${url}font.woff2)`).load().catch(() => undefined),
  'Cache.add': ({ url }) => void caches.open('stranger').then((cache) => cache.add(new Request(url, { mode: 'no-cors' }))).catch(() => undefined),
  'a nested worker that fetches': nested('fetch(to.url, { mode: "no-cors" })'),
  'a nested worker with importScripts': nested('importScripts(to.url)'),
  'a nested worker that imports': nested('import(to.url)', 'module'),
  'a nested worker with a WebSocket': nested('new WebSocket(to.url.replace("http", "ws"))'),
};

/** Ways of a page. */
export const PAGE: Readonly<Record<string, Way>> = {
  ...SHARED,
  sendBeacon: ({ url }) => navigator.sendBeacon(url, 'text'),
  fetchLater: ({ url }) => (globalThis as unknown as { fetchLater(url: string, options: object): void }).fetchLater(url, { activateAfter: 0 }),
  'WebRTC with STUN': async ({ host }) => {
    const connection = new RTCPeerConnection({ iceServers: [{ urls: `stun:${host}` }] });
    connection.createDataChannel('text');
    await connection.setLocalDescription(await connection.createOffer());
  },
  'WebRTC with TURN': async ({ host }) => {
    const connection = new RTCPeerConnection({ iceServers: [{ urls: `turn:${host}?transport=tcp`, username: 'text', credential: 'text' }] });
    connection.createDataChannel('text');
    await connection.setLocalDescription(await connection.createOffer());
  },
  'fetch of a frame': ({ url }) => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    void (frame.contentWindow as unknown as typeof globalThis).fetch(url).catch(() => undefined);
  },
  image: ({ url }) => void (new Image().src = url),
  'image in SVG': element('svg:image', { href: '$', width: '9', height: '9' }),
  picture: element('img', { srcset: '$ 1x' }),
  'image button': element('input', { type: 'image', src: '$' }),
  script: element('script', { src: '$' }),
  'module script': element('script', { type: 'module', src: '$' }),
  stylesheet: element('link', { rel: 'stylesheet', href: '$' }),
  'style element with @import': element('style', {}, '@import url($);'),
  'style attribute': element('p', { style: 'background: url($)' }, 'text'),
  'style by script': ({ url }) => void (document.body.appendChild(document.createElement('p')).style.background = `url(${url})`),
  'style sheet by script': ({ url }) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`html { list-style-image: url(${url}); --x: url(${url}); } body::after { content: url(${url}) }`);
    document.adoptedStyleSheets.push(sheet);
  },
  'border image': ({ url }) => void (document.body.style.borderImage = `url(${url}) 30`),
  audio: element('audio', { src: '$', preload: 'auto' }),
  video: element('video', { src: '$', preload: 'auto' }),
  poster: element('video', { poster: '$' }),
  embed: element('embed', { src: '$' }),
  object: element('object', { data: '$' }),
  frame: element('iframe', { src: '$' }),
  'frame with srcdoc': element('iframe', { srcdoc: '<img src="$">' }),
  'frame with a data address': element('iframe', { src: 'data:text/html,<img src="$">' }),
  icon: element('link', { rel: 'icon', href: '$' }),
  prefetch: element('link', { rel: 'prefetch', href: '$' }),
  'preload of an image': element('link', { rel: 'preload', as: 'image', href: '$' }),
  'preload of a script': element('link', { rel: 'preload', as: 'script', href: '$' }),
  'preload for fetch': element('link', { rel: 'preload', as: 'fetch', crossorigin: 'anonymous', href: '$' }),
  modulepreload: element('link', { rel: 'modulepreload', href: '$' }),
  preconnect: element('link', { rel: 'preconnect', href: '$' }),
  'dns-prefetch': element('link', { rel: 'dns-prefetch', href: '//$name' }),
  'speculation rules': element('script', { type: 'speculationrules' }, '{"prefetch":[{"source":"list","urls":["$"],"eagerness":"immediate"}],"prerender":[{"source":"list","urls":["$"],"eagerness":"immediate"}]}'),
  manifest: element('link', { rel: 'manifest', href: '$' }),
  'shared worker': ({ url }) => {
    const blob = new Blob([`fetch(${JSON.stringify(url)}, { mode: 'no-cors' })`], { type: 'text/javascript' });
    void new SharedWorker(URL.createObjectURL(blob));
  },
  // The site's own files may have no policy, if the host sends no headers.
  'the worker of this site, without its guard': ({ url, workerScript }) => {
    const worker = new Worker(workerScript, { type: 'module' });
    worker.postMessage({ kind: 'call', id: 1, name: 'fetchAdapter', args: [{ kind: 'url', url }] });
    Object.assign(globalThis, { workerOfTheSite: worker });
  },
  'a frame with a file of this site': ({ url, site }) => {
    const frame = Object.assign(document.createElement('iframe'), { src: `${site}licenses.md` });
    frame.onload = () => void (frame.contentWindow as unknown as typeof globalThis).fetch(url, { mode: 'no-cors' }).catch(() => undefined);
    document.body.append(frame);
  },
};

/** Ways in which a page without a guard leaves or opens another page. */
export const LEAVING: Readonly<Record<string, Way>> = {
  'window.open': ({ url }) => void window.open(url),
  'window.open with noopener': ({ url }) => void window.open(url, '_blank', 'noopener'),
  'fetch of an opened window': ({ url }) => void (window.open('') as unknown as typeof globalThis | null)?.fetch(url, { mode: 'no-cors' }).catch(() => undefined),
  'a window with a file of this site': ({ url, site }) => {
    const opened = window.open(`${site}licenses.md`) as unknown as typeof globalThis;
    setTimeout(() => void opened.fetch(url, { mode: 'no-cors' }).catch(() => undefined), 700);
  },
  'link to a new window': ({ url }) => Object.assign(document.body.appendChild(document.createElement('a')), { href: url, target: '_blank' }).click(),
  'link outside of the document': ({ url }) => Object.assign(document.createElement('a'), { href: url, target: '_blank', rel: 'noopener' }).click(),
  'form to a new window': ({ url }) => Object.assign(document.body.appendChild(document.createElement('form')), { action: url, target: '_blank' }).submit(),
  form: ({ url }) => Object.assign(document.body.appendChild(document.createElement('form')), { action: url }).submit(),
  link: ({ url }) => Object.assign(document.body.appendChild(document.createElement('a')), { href: url }).click(),
  'link with ping': ({ url }) => Object.assign(document.body.appendChild(document.createElement('a')), { href: '#ping', ping: url }).click(),
  'location.href': ({ url }) => void (location.href = url),
  'location.replace': ({ url }) => location.replace(url),
  'location of a frame': ({ url }) => void (document.body.appendChild(document.createElement('iframe')).contentWindow as Window).location.replace(url),
  'meta refresh': element('meta', { 'http-equiv': 'refresh', content: '0; url=$' }),
  'navigation.navigate': ({ url }) => void (globalThis as unknown as { navigation: { navigate(url: string): void } }).navigation.navigate(url),
};

/** A way that crashes Chromium's tab when `Connection-Allowlist` blocks it, so it comes last. */
export const LAST: Readonly<Record<string, Way>> = {
  'WebRTC of a frame': async ({ host }) => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    const connection = new (frame.contentWindow as unknown as typeof globalThis).RTCPeerConnection({ iceServers: [{ urls: `stun:${host}` }] });
    connection.createDataChannel('text');
    await connection.setLocalDescription(await connection.createOffer());
  },
};

export interface Listener {
  readonly port: number;
  /** What has arrived so far. A connection without a request reveals only the name of the host. */
  readonly arrivals: ReadonlySet<'connection' | 'request' | 'datagram'>;
  close(): void;
}

/** Notices every TCP connection and every UDP datagram to a port of its own. */
export async function listen(): Promise<Listener> {
  const arrivals = new Set<'connection' | 'request' | 'datagram'>();
  const server = createServer((_, response) => {
    arrivals.add('request');
    response.setHeader('access-control-allow-origin', '*').end('reached');
  });
  server.on('upgrade', (_, socket) => (arrivals.add('request'), socket.destroy()));
  server.on('connection', () => arrivals.add('connection')).on('clientError', (_, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const datagrams = createSocket('udp4', () => arrivals.add('datagram'));
  await new Promise<void>((resolve) => datagrams.bind(port, '127.0.0.1', resolve));
  return {
    port,
    arrivals,
    close() {
      server.closeAllConnections();
      server.close();
      datagrams.close();
    },
  };
}
