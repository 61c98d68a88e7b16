/**
 * A local stand-in for the model hub, with its listing, redirects and ranges, and with errors on
 * demand.
 */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { spoil, type Fault } from './spoil.ts';

/** A file too large for memory: its path, with its size in bytes and its SHA-256. */
export interface OnDisk {
  readonly path: string;
  readonly length: number;
  readonly sha256: string;
}

type Content = Buffer | OnDisk;

interface Broken {
  readonly after: number;
  times: number;
  /** Where the last request continued. */
  at?: number;
}

/** Milliseconds from the last byte until a connection breaks, so that a slow browser has time to read the bytes. */
const BREAKS_AFTER_MS = 500;

export interface Hub {
  readonly url: string;
  readonly port: number;
  /** The requests so far: method, path, and range. */
  readonly asked: string[];
  /**
   * Breaks every connection after `after` bytes of a large file, until `times` requests have continued the download at a later byte. How
   * many of these bytes have arrived by then depends on the browser.
   */
  broken: Broken;
  /** Changes one byte of the response, just after its first half. */
  damaged: boolean;
  /** Whether range requests are supported. */
  ranges: boolean;
  /** A part of every ETag. */
  version: number;
  /** Bytes per second; 0 for no limit. */
  speed: number;
  /** The token that opens the repositories; empty if they are open to everyone. */
  token: string;
  /** Answers listings `times` times with this status, and asks the client to wait `seconds` seconds. */
  busy: { status: number; times: number; seconds: number };
  /**
   * Spoils answer number `at`, counted from now, and with `onwards` all answers after it. `at` counts down. `silence` is called when an
   * answer stops without an end.
   */
  fault: { at: number; readonly how: Fault; readonly onwards?: boolean; readonly silence?: () => void } | undefined;
  /** The token of each request that had one, with its path. */
  readonly tokens: string[];
  /** Where large files are: the hub itself, or a server of another origin. */
  cdn: string;
  /** Adds a repository. `revisions` are names besides `main`. */
  add(id: string, files: ReadonlyMap<string, Content>, revisions?: readonly string[]): void;
  close(): Promise<void>;
}

const SHA = '0123456789abcdef0123456789abcdef01234567';
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'ETag, Content-Range, X-Linked-Size, X-Linked-ETag, Retry-After',
};
const sha256 = (content: Content): string => (Buffer.isBuffer(content) ? createHash('sha256').update(content).digest('hex') : content.sha256);
const LARGE = /\.(safetensors|gguf|bin)$/;

/** Serves `folder` as the repository `id`, over TLS if a key and a certificate are given. */
export async function openHub(folder: string, id: string, names: readonly string[], tls?: { key: string; cert: string }): Promise<Hub> {
  const repositories = new Map<string, { files: ReadonlyMap<string, Content>; revisions: readonly string[] }>();
  const hub = {
    ...{ url: '', port: 0, cdn: '', token: '', asked: [] as string[], tokens: [] as string[], busy: { status: 503, times: 0, seconds: 0 } },
    ...{ broken: { after: 0, times: 0 } as Broken, damaged: false, ranges: true, version: 1, speed: 0, fault: undefined as Hub['fault'] },
    add: (name: string, files: ReadonlyMap<string, Content>, revisions: readonly string[] = []): void => void repositories.set(name, { files, revisions }),
  };
  hub.add(id, new Map(names.map((name) => [name, readFileSync(join(folder, name))])));

  const listing = (name: string, files: ReadonlyMap<string, Content>): string =>
    JSON.stringify({
      id: name,
      sha: SHA,
      gated: hub.token === '' ? false : 'manual',
      siblings: [...files].map(([rfilename, bytes]) =>
        LARGE.test(rfilename) || !Buffer.isBuffer(bytes)
          ? { rfilename, size: bytes.length, blobId: 'pointer', lfs: { sha256: sha256(bytes), size: bytes.length } }
          : { rfilename, size: bytes.length, blobId: createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex') },
      ),
      safetensors: { total: [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0) / 4 },
    });

  async function send(response: ServerResponse, name: string, bytes: Content, range: string | undefined): Promise<void> {
    const from = hub.ranges ? Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? -1) : -1;
    const start = Math.max(0, from);
    const to = from < 0 ? NaN : Number(/bytes=\d+-(\d+)/.exec(range ?? '')?.[1] ?? NaN);
    const end = Number.isNaN(to) ? bytes.length : Math.min(bytes.length, to + 1);
    response.writeHead(from >= 0 ? 206 : 200, {
      ...CORS,
      'content-length': end - start,
      'accept-ranges': 'bytes',
      etag: `"${hub.version}-${sha256(bytes)}"`,
      ...(from >= 0 ? { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` } : {}),
    });
    if (!Buffer.isBuffer(bytes)) {
      createReadStream(bytes.path, { start, end: end - 1 }).pipe(response);
      return;
    }
    const body = Buffer.from(bytes.subarray(start, end));
    const middle = Math.floor(bytes.length / 2) - start;
    if (hub.damaged && LARGE.test(name) && middle >= 0) body[middle] = (body[middle] ?? 0) ^ 1;
    const { broken } = hub;
    // Requests for only the beginning are not broken.
    if (broken.times > 0 && LARGE.test(name) && Number.isNaN(to)) {
      // Clients also send ranges to a server that does not support them.
      const at = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
      if (at > (broken.at ?? 0)) [broken.at, broken.times] = [at, broken.times - 1];
      if (broken.times > 0) {
        response.write(body.subarray(0, broken.after), () => setTimeout(() => response.destroy(), BREAKS_AFTER_MS));
        return;
      }
    }
    const piece = hub.speed > 0 ? Math.ceil(hub.speed / 20) : body.length;
    for (let at = 0; at < body.length && !response.destroyed; at += piece) {
      response.write(body.subarray(at, at + piece));
      if (hub.speed > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    }
    response.end();
  }

  const answer: Parameters<typeof createServer>[1] = (request, response) => {
    const path = request.url ?? '';
    hub.asked.push([request.method, path, request.headers.range].filter((part) => part !== undefined).join(' '));
    const { authorization } = request.headers;
    if (authorization !== undefined) hub.tokens.push(`${request.headers.host} ${path} ${authorization}`);
    if (request.method === 'OPTIONS') {
      response.writeHead(204, { ...CORS, 'access-control-allow-headers': 'authorization, range' }).end();
      return;
    }
    if (hub.fault !== undefined && (hub.fault.at-- === 0 || (hub.fault.onwards === true && hub.fault.at < 0))) spoil(response, hub.fault.how, hub.fault.silence);
    // Large files are at another address, as on the hub.
    const [, large, repo = id] = /^\/cdn\/([^?]+)(?:\?(.+))?$/.exec(path) ?? [];
    const [, listed = '', revision = 'main'] = /^\/api\/models\/([^?]+?)(?:\/revision\/([^?]+))?\?/.exec(path) ?? [];
    const [, owner = '', ref = '', name = ''] = /^\/(.+?)\/resolve\/([^/]+)\/([^?]+)/.exec(path) ?? [];
    // A repository of an organization can also be named without it.
    const full = [...repositories.keys()].find((key) => key === (listed || owner) || key.endsWith(`/${listed || owner}`));
    const repository = repositories.get(full ?? '');
    const revisions = ['main', SHA, ...(repository?.revisions ?? [])];
    const bytes = large === undefined ? repository?.files.get(name) : repositories.get(repo)?.files.get(large);
    const isOpen = hub.token === '' || authorization === `Bearer ${hub.token}`;
    if (listed !== '' && hub.busy.times-- > 0) response.writeHead(hub.busy.status, { ...CORS, ...(hub.busy.seconds > 0 ? { 'retry-after': String(hub.busy.seconds) } : {}) }).end();
    else if (listed !== '' && repository !== undefined && revisions.includes(decodeURIComponent(revision))) {
      response.writeHead(200, { ...CORS, 'content-type': 'application/json' }).end(listing(full ?? '', repository.files));
    } else if (large === undefined && !isOpen) response.writeHead(401, CORS).end();
    else if (bytes === undefined || (large === undefined && !revisions.includes(decodeURIComponent(ref)))) response.writeHead(404, CORS).end();
    else if (large === undefined && LARGE.test(name)) response.writeHead(302, { ...CORS, location: `${hub.cdn}/cdn/${name}${full === id ? '' : `?${full}`}` }).end();
    else void send(response, large ?? name, bytes, request.headers.range);
  };
  const server: Server = tls === undefined ? createServer(answer) : createSecureServer(tls, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  hub.port = (server.address() as AddressInfo).port;
  hub.url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${hub.port}`;
  return Object.assign(hub, {
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** The bytes at which requests have continued a download, each once. */
export const continuations = ({ asked }: Hub): number[] => [...new Set(asked.map((each) => Number(/ bytes=(\d+)-$/.exec(each)?.[1] ?? 0)))].filter((at) => at > 0);
