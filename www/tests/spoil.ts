/** Ways in which a server's answer can be wrong. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** An answer that was about to be sent. */
interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
  /** Called when an answer stops without an end. */
  readonly silence: () => void;
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const middle = (body: Buffer): number => Math.floor(body.length / 2);

/** Each sends something other than the answer. */
export const FAULTS = {
  /** The connection ends without an answer. */
  refused: (response: ServerResponse) => void response.destroy(),
  /** The connection ends in the middle of the body. */
  cut: (response: ServerResponse, { status, headers, body }: Answer) => {
    response.writeHead(status, headers);
    response.write(body.subarray(0, middle(body)), () => setTimeout(() => response.destroy(), 20));
  },
  /** The body is half as long as it should be, but complete according to its headers. */
  short: (response: ServerResponse, { status, headers, body }: Answer) =>
    void response.writeHead(status, { ...headers, 'content-length': middle(body) }).end(body.subarray(0, middle(body))),
  /** The body is twice as long. */
  long: (response: ServerResponse, { status, headers, body }: Answer) =>
    void response.writeHead(status, { ...headers, 'content-length': 2 * body.length }).end(Buffer.concat([body, body])),
  empty: (response: ServerResponse, { status, headers }: Answer) => void response.writeHead(status, { ...headers, 'content-length': 0 }).end(),
  /** One byte is changed. */
  wrong: (response: ServerResponse, { status, headers, body }: Answer) => {
    const other = Buffer.from(body);
    if (other.length > 0) other[middle(other)] = (other[middle(other)] ?? 0) ^ 1;
    response.writeHead(status, headers).end(other);
  },
  /** A page instead of a file, as from a network that asks people to sign in. */
  page: (response: ServerResponse, { headers }: Answer) =>
    void response.writeHead(200, { ...headers, 'content-type': 'text/html', 'content-length': 17 }).end('<html>Hi!</html>\n'),
  /** JSON of another kind. */
  other: (response: ServerResponse, { headers }: Answer) => void response.writeHead(200, { ...headers, 'content-type': 'application/json', 'content-length': 4 }).end('null'),
  /** Another part of the file than the one that was asked for. */
  shifted: (response: ServerResponse, { headers, body }: Answer) =>
    void response.writeHead(206, { ...headers, 'content-range': `bytes 7-${6 + body.length}/${body.length + 7}` }).end(body),
  slow: async (response: ServerResponse, { status, headers, body }: Answer) => {
    response.writeHead(status, headers);
    for (let part = 0; part < 10; part++) {
      response.write(body.subarray(Math.floor((part * body.length) / 10), Math.floor(((part + 1) * body.length) / 10)));
      await later(30);
    }
    response.end();
  },
  /** There is no answer, and the connection stays open. */
  silent: (_: ServerResponse, { silence }: Answer) => silence(),
  /** After half of the body nothing more comes, and the connection stays open. */
  stalled: (response: ServerResponse, { status, headers, body, silence }: Answer) => {
    response.writeHead(status, headers);
    response.write(body.subarray(0, middle(body)), () => setTimeout(silence, 50));
  },
  redirected: (response: ServerResponse, { headers }: Answer) => void response.writeHead(302, { ...headers, location: '/nowhere', 'content-length': 0 }).end(),
  ...Object.fromEntries(
    [204, 400, 401, 403, 404, 408, 410, 416, 418, 429, 500, 502, 503, 504].map((status) => [
      `status ${status}`,
      (response: ServerResponse, { headers: { 'content-length': _, ...headers } }: Answer) => void response.writeHead(status, headers).end(),
    ]),
  ),
} as const;
export type Fault = keyof typeof FAULTS;

/** Makes `response` send the answer that is written to it as changed by `fault`. */
export function spoil(response: ServerResponse, fault: Fault, silence: () => void = () => undefined): void {
  const { writeHead, write, end } = response;
  const parts: Buffer[] = [];
  let [status, headers]: [number, OutgoingHttpHeaders] = [200, {}];
  const faked = {
    writeHead: (code: number, fields: OutgoingHttpHeaders = {}) => ([status, headers] = [code, fields], response),
    write: (part: Buffer, done?: () => void) => (parts.push(part), done?.(), true),
    end: (part?: Buffer | string) => {
      if (part !== undefined) parts.push(Buffer.from(part));
      Object.assign(response, { writeHead, write, end });
      void FAULTS[fault](response, { status, headers, body: Buffer.concat(parts), silence });
      return response;
    },
  };
  Object.assign(response, faked);
}
