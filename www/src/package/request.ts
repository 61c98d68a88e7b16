/** Requests to a server. They are retried after a temporary failure, and only those to the hub carry the access token. */
import { abortedError, PocketError } from './errors.js';

/** An access token, and the host that it is for. It is held in memory only. */
export interface Access {
  readonly host: string;
  readonly token: string;
}

/** Answers after which the same request may succeed. */
const TEMPORARY = [408, 429, 500, 502, 503, 504];
/** Milliseconds to wait before each retry, if the server does not say how long. */
const PAUSES = [500, 2000, 5000];
/** The longest time that a server may ask to wait, in milliseconds. */
const LONGEST_PAUSE = 60_000;

/** Milliseconds without an answer or a byte after which a connection counts as broken. */
const SILENCE = 60_000;

export const isTemporary = (status: number): boolean => TEMPORARY.includes(status);

/**
 * The headers that carry the token, if `url` is on its host. A browser drops them where the request
 * is redirected to another host (Fetch standard, HTTP-redirect fetch).
 */
export function authorization(url: string, access?: Access): Record<string, string> {
  if (access === undefined || new URL(url).origin !== new URL(access.host).origin) return {};
  return { authorization: `Bearer ${access.token}` };
}

/**
 * Watches a connection, because one may hang forever after a phone has changed its network. The
 * signal aborts when the caller's does, or a minute after the last call of `heard`.
 */
export function watch(signal?: AbortSignal): { readonly signal: AbortSignal; heard(): void; end(): void } {
  const silence = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = (): void => clearTimeout(timer);
  const heard = (): void => {
    end();
    timer = setTimeout(() => silence.abort(new Error(`the server has sent nothing for ${SILENCE / 1000} seconds`)), SILENCE);
  };
  heard();
  return { signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal, heard, end };
}

/** The response to a request and, if its status is ok, what was read from it. */
export interface Answer<T> {
  readonly response: Response;
  readonly content: T | undefined;
}

/**
 * Sends a request and reads the response with `read`. Retries after a pause if the server is busy or
 * the connection breaks. A busy server may say how long the pause should be.
 */
export async function request<T>(
  url: string,
  { headers = {}, ...options }: Omit<RequestInit, 'headers' | 'signal'> & { headers?: Record<string, string> },
  { access, signal }: { readonly access?: Access | undefined; readonly signal?: AbortSignal | undefined },
  read: (response: Response) => Promise<T>,
): Promise<Answer<T>> {
  for (const pause of [...PAUSES, undefined]) {
    const connection = watch(signal);
    let wait = pause;
    try {
      // The browser's cache must revalidate what it has. Some caches keep a 410 (gone) for good, and a revision can move.
      const response = await fetch(url, { cache: 'no-cache', ...options, headers: { ...headers, ...authorization(url, access) }, signal: connection.signal });
      connection.heard();
      if (response.ok) return { response, content: await read(heardBy(connection, response)) };
      await response.body?.cancel();
      wait = retryAfter(response) ?? pause;
      if (pause === undefined || wait === undefined || !isTemporary(response.status) || wait > LONGEST_PAUSE) return { response, content: undefined };
    } catch (broken) {
      if (pause === undefined || signal?.aborted || !navigator.onLine) throw broken;
    } finally {
      connection.end();
    }
    await sleep(wait ?? 0, signal);
  }
  throw new Error('unreachable');
}

/** The same response, but every chunk of its body is reported to its connection. */
function heardBy({ heard }: { heard(): void }, response: Response): Response {
  if (response.body === null) return response;
  const body = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        heard();
        controller.enqueue(chunk);
      },
    }),
  );
  return new Response(body, response);
}

/** The milliseconds that a server asks to wait: a number of seconds, or a date. */
export function retryAfter({ headers }: Response): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : undefined;
}

/** The error for a response with an unexpected status. */
export function statusError(what: string, url: string, status: number): PocketError {
  const token = status === 401 || status === 403;
  const hint = token ? '; the model is gated or private: accept its terms on its page, and give an access token from your account' : '';
  const later = status === 429 ? '; the server receives too many requests, so try again in a few minutes' : '';
  return new PocketError('network', `${what}: expected status 200 from ${url}, found ${status}${hint}${later}`, { status });
}

/** Waits for `ms` milliseconds. Rejects with `aborted` as soon as the signal is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(abortedError('waiting', signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}
