/** Requests to a server: again after a temporary failure, and with an access token for the hub alone. */
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

export const isTemporary = (status: number): boolean => TEMPORARY.includes(status);

/**
 * The headers that carry the token, if `url` is on its host. A browser drops them where the request
 * is redirected to another host (Fetch standard, HTTP-redirect fetch).
 */
export function authorization(url: string, access?: Access): Record<string, string> {
  if (access === undefined || new URL(url).origin !== new URL(access.host).origin) return {};
  return { authorization: `Bearer ${access.token}` };
}

/** Sends a request, and again where the server is busy: after the time that it names, or after a pause. */
export async function request(
  url: string,
  { headers = {}, ...options }: Omit<RequestInit, 'headers' | 'signal'> & { headers?: Record<string, string> },
  { access, signal }: { readonly access?: Access | undefined; readonly signal?: AbortSignal | undefined },
): Promise<Response> {
  for (const pause of [...PAUSES, undefined]) {
    // The browser's cache is asked to check what it has. Some keep "not here" for good (410), and a revision can move.
    const response = await fetch(url, { cache: 'no-cache', ...options, headers: { ...headers, ...authorization(url, access) }, ...(signal ? { signal } : {}) });
    const wait = retryAfter(response) ?? pause;
    if (pause === undefined || wait === undefined || !isTemporary(response.status) || wait > LONGEST_PAUSE) return response;
    await response.body?.cancel();
    await sleep(wait, signal);
  }
  throw new Error('unreachable');
}

/** The milliseconds that a server asks to wait: a number of seconds, or a date. */
export function retryAfter({ headers }: Response): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : undefined;
}

/** The error for an answer that is not what was asked for. */
export function statusError(what: string, url: string, status: number): PocketError {
  const token = status === 401 || status === 403;
  const hint = token ? '; the model is gated or private: accept its terms on its page, and give an access token of your account' : '';
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
