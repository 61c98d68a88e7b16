/** Every value that {@link PocketError.code} can have. */
export const ERROR_CODES = [
  'webgpu-unavailable',
  'device-lost',
  'out-of-memory',
  'limit-exceeded',
  'model-unsupported',
  'file-corrupt',
  'data-invalid',
  'trajectory-mismatch',
  'non-finite-loss',
  'storage-full',
  'network',
  'aborted',
  'invalid-argument',
] as const;

/** A stable code for what went wrong. It does not change between versions. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * The error class of this package. `code` is for programs and `message` is for people. The message
 * names the file, field or row, what was expected there and what was found.
 *
 * An error that is not a `PocketError` is a bug in this package.
 */
export class PocketError extends Error {
  /** What went wrong. */
  readonly code: ErrorCode;
  /**
   * The HTTP status of the answer, for a request that a server refused. 401 and 403 mean that the
   * model needs an access token; see `token` of `CreateOptions`.
   */
  readonly status?: number;

  constructor(code: ErrorCode, message: string, { status, ...options }: ErrorOptions & { status?: number | undefined } = {}) {
    super(message, options);
    this.name = 'PocketError';
    this.code = code;
    if (status !== undefined) this.status = status;
  }
}

/**
 * An error as a plain object for a message between threads, because structured cloning drops the
 * class and the code.
 */
export interface PlainError {
  readonly code?: ErrorCode;
  readonly status?: number;
  readonly message: string;
  readonly stack?: string;
}

/**
 * Converts any thrown value to an `Error`. A value with a known code becomes a `PocketError`,
 * because the engine throws plain objects. Other errors are returned unchanged.
 */
export function toError(thrown: unknown): Error {
  if (thrown instanceof PocketError) return thrown;
  if (typeof thrown === 'object' && thrown !== null) {
    const { code, message } = thrown as { code?: unknown; message?: unknown };
    const known = ERROR_CODES.find((candidate) => candidate === code);
    if (known !== undefined) {
      // The engine's own downloads give the status in the message only.
      const status = known === 'network' ? /found (401|403)\b/.exec(String(message))?.[1] : undefined;
      return new PocketError(known, String(message), { cause: thrown, status: status === undefined ? undefined : Number(status) });
    }
    if (thrown instanceof Error) return thrown;
  }
  return new Error(`internal error: ${String(thrown)}`);
}

/** Converts an error to an object that survives structured cloning. */
export function toPlain(thrown: unknown): PlainError {
  const error = toError(thrown);
  return {
    message: error.message,
    ...(error instanceof PocketError ? { code: error.code, ...(error.status === undefined ? {} : { status: error.status }) } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}

/** Restores the error that {@link toPlain} converted. */
export function fromPlain(plain: PlainError): Error {
  const error =
    plain.code === undefined ? new Error(plain.message) : new PocketError(plain.code, plain.message, { status: plain.status });
  if (plain.stack !== undefined) error.stack = plain.stack;
  return error;
}

/**
 * The error of a call that was aborted by its `AbortSignal`. Its `cause` is the signal's reason.
 */
export function abortedError(what: string, signal?: AbortSignal): PocketError {
  return new PocketError('aborted', `${what} was aborted`, { cause: signal?.reason });
}
