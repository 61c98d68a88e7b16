/**
 * The only definition of what the page may connect to. The policy in the page's own markup, the headers that
 * the service worker adds, and the files in `hosting/` for static hosts are all generated from it.
 */
import type { Plugin } from 'vite';

/** The hosts that models come from: the hub, and the storage that its downloads are redirected to. */
const HUB = ['https://huggingface.co', 'https://*.huggingface.co', 'https://*.hf.co'];

const DIRECTIVES: Readonly<Record<string, readonly string[]>> = {
  // What is not named below is blocked: fonts, sounds, films, frames, prefetches.
  'default-src': ["'none'"],
  'script-src': ["'self'", "'wasm-unsafe-eval'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'blob:', 'data:'],
  'manifest-src': ["'self'"],
  'worker-src': ["'self'", 'blob:'],
  'connect-src': ["'self'", ...HUB],
  // These do not fall back to default-src.
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
};

const text = (directives: typeof DIRECTIVES): string => Object.entries(directives).map(([name, sources]) => `${name} ${sources.join(' ')}`).join('; ');

/** The content security policy in the page's markup. */
export const META_POLICY = text(DIRECTIVES);

/** Features of the browser that the page does not use. Several of them can reach other hosts. */
const UNUSED = [
  'attribution-reporting', 'bluetooth', 'browsing-topics', 'camera', 'display-capture', 'geolocation', 'hid', 'identity-credentials-get', 'microphone', 'midi',
  'payment', 'publickey-credentials-create', 'publickey-credentials-get', 'serial', 'usb',
];

/** The headers of every file of the site. */
export const HEADERS: Readonly<Record<string, string>> = {
  // A policy in markup cannot forbid other sites from framing the page.
  'Content-Security-Policy': text({ ...DIRECTIVES, 'frame-ancestors': ["'none'"] }),
  // In Chrome since version 152. It also covers what a content security policy does not, such as navigations,
  // WebRTC, preconnects and DNS prefetches. The hub redirects downloads to hosts on the same list.
  'Connection-Allowlist': `(response-origin ${HUB.map((host) => `"${host}/*"`).join(' ')}); redirects=allow; webrtc=block`,
  'Permissions-Policy': UNUSED.map((feature) => `${feature}=()`).join(', '),
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-DNS-Prefetch-Control': 'off',
  // The page is isolated, so that the engine on the processor may use several threads. Downloads of models are CORS requests.
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

const lines = (line: (name: string, value: string) => string): string => Object.entries(HEADERS).map(([name, value]) => line(name, value)).join('\n');

/** The same headers as static hosts want them, by the name of the file in `hosting/`. */
export const HOSTING: Readonly<Record<string, string>> = {
  _headers: `# For Netlify and Cloudflare Pages, which read this file from the root of the site.\n/*\n${lines((name, value) => `  ${name}: ${value}`)}\n`,
  'nginx.conf': `# For nginx: include this file in the \`server\` or \`location\` block that serves the site.\n${lines((name, value) => `add_header ${name} '${value.replaceAll("'", "\\'")}' always;`)}\n`,
  Caddyfile: `# For Caddy: \`import\` this file, and then \`import pocketllm\` in the block that serves the site.\n(pocketllm) {\n\theader {\n${lines((name, value) => `\t\t${name} \`${value}\``)}\n\t}\n}\n`,
};

/**
 * Code at the beginning of the service worker. It adds the headers to the page that the worker serves, so that
 * they are in force from the second visit on, even if the host cannot send headers.
 */
export const WITH_HEADERS = `{
  const headers = ${JSON.stringify(HEADERS)};
  const protect = (response) => {
    if (response.type === 'opaque' || response.type === 'error' || response.redirected) return response;
    const own = new Headers(response.headers);
    for (const [name, value] of Object.entries(headers)) own.set(name, value);
    return new Response(response.body, { status: response.status, statusText: response.statusText, headers: own });
  };
  const respondWith = FetchEvent.prototype.respondWith;
  FetchEvent.prototype.respondWith = function (response) {
    return respondWith.call(this, Promise.resolve(response).then(protect));
  };
}
`;

/** Writes the policy into the page, and `_headers` into the built site. */
export function policy(): Plugin {
  return {
    name: 'pocketllm:policy',
    transformIndexHtml: {
      order: 'post',
      // The policy must precede everything that it governs.
      handler: (html) => html.replace(/<meta charset="utf-8" \/>/, (charset) => `${charset}\n    <meta http-equiv="Content-Security-Policy" content="${META_POLICY}" />`),
    },
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: '_headers', source: HOSTING['_headers'] ?? '' });
    },
  };
}
