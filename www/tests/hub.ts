/**
 * A local stand-in for the model hub, with its listing, redirects and ranges, and with errors on
 * demand.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface Hub {
  readonly url: string;
  readonly port: number;
  /** The requests so far: method, path, and range. */
  readonly asked: string[];
  /** Breaks the connection after this many bytes of a `.safetensors` file, this many times. */
  broken: { after: number; times: number };
  /** Changes one byte of the response, just after its first half. */
  damaged: boolean;
  /** Whether range requests are supported. */
  ranges: boolean;
  /** A part of every ETag. */
  version: number;
  /** Bytes per second; 0 for no limit. */
  speed: number;
  close(): Promise<void>;
}

const SHA = '0123456789abcdef0123456789abcdef01234567';
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'ETag, Content-Range, X-Linked-Size, X-Linked-ETag',
};

/** Serves `folder` as the repository `id`, over TLS if a key and a certificate are given. */
export async function openHub(folder: string, id: string, names: readonly string[], tls?: { key: string; cert: string }): Promise<Hub> {
  const files = new Map(names.map((name) => [name, readFileSync(join(folder, name))]));
  const hub = { url: '', port: 0, asked: [] as string[], broken: { after: 0, times: 0 }, damaged: false, ranges: true, version: 1, speed: 0 };

  const listing = (): string =>
    JSON.stringify({
      id,
      sha: SHA,
      siblings: [...files].map(([rfilename, bytes]) =>
        rfilename.endsWith('.safetensors')
          ? { rfilename, size: bytes.length, blobId: 'pointer', lfs: { sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length } }
          : { rfilename, size: bytes.length, blobId: createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex') },
      ),
      safetensors: { total: [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0) / 4 },
    });

  async function send(response: ServerResponse, name: string, bytes: Buffer, range: string | undefined): Promise<void> {
    const from = hub.ranges ? Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? -1) : -1;
    const start = Math.max(0, from);
    const body = Buffer.from(bytes.subarray(start));
    const middle = Math.floor(bytes.length / 2) - start;
    if (hub.damaged && name.endsWith('.safetensors') && middle >= 0) body[middle] = (body[middle] ?? 0) ^ 1;
    response.writeHead(from >= 0 ? 206 : 200, {
      ...CORS,
      'content-length': body.length,
      'accept-ranges': 'bytes',
      etag: `"${hub.version}-${createHash('md5').update(bytes).digest('hex')}"`,
      ...(from >= 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    if (hub.broken.times > 0 && name.endsWith('.safetensors')) {
      hub.broken.times--;
      response.write(body.subarray(0, hub.broken.after), () => setTimeout(() => response.destroy(), 50));
      return;
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
    const found = new RegExp(`^/(${id}/resolve/(?:${SHA}|main)|cdn)/(.+)$`).exec(path);
    const name = found?.[2] ?? '';
    const bytes = files.get(name);
    if (request.method === 'OPTIONS') response.writeHead(204, { ...CORS, 'access-control-allow-headers': '*' }).end();
    else if (path.startsWith(`/api/models/${id}?`)) response.writeHead(200, { ...CORS, 'content-type': 'application/json' }).end(listing());
    else if (bytes === undefined) response.writeHead(404, CORS).end();
    // Large files are at another address, as on the hub.
    else if (name.endsWith('.safetensors') && found?.[1] !== 'cdn') response.writeHead(302, { ...CORS, location: `/cdn/${name}` }).end();
    else void send(response, name, bytes, request.headers.range);
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
