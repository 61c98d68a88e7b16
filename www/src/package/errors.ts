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

/** What went wrong, in a word that stays the same from version to version. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * The one error class of this package. `code` is for programs, `message` for people: it names the
 * file, field or row, what was expected there and what was found.
 *
 * An error that is not a `PocketError` is a fault of this package itself.
 */
export class PocketError extends Error {
  /** What went wrong. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PocketError';
    this.code = code;
  }
}

/** An error as it crosses the worker's boundary: structured cloning keeps no class and no code. */
export interface PlainError {
  readonly code?: ErrorCode;
  readonly message: string;
  readonly stack?: string;
}

/**
 * Any thrown value as an `Error`: what carries a known code becomes a `PocketError`, whatever
 * threw it (the engine throws bare objects), and the rest stays what it is.
 */
export function toError(thrown: unknown): Error {
  if (thrown instanceof PocketError) return thrown;
  if (typeof thrown === 'object' && thrown !== null) {
    const { code, message } = thrown as { code?: unknown; message?: unknown };
    const known = ERROR_CODES.find((candidate) => candidate === code);
    if (known !== undefined) return new PocketError(known, String(message), { cause: thrown });
    if (thrown instanceof Error) return thrown;
  }
  return new Error(`internal error: ${String(thrown)}`);
}

/** The error as an object that survives structured cloning. */
export function toPlain(thrown: unknown): PlainError {
  const error = toError(thrown);
  return {
    message: error.message,
    ...(error instanceof PocketError ? { code: error.code } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}

/** The error that {@link toPlain} described. */
export function fromPlain(plain: PlainError): Error {
  const error =
    plain.code === undefined ? new Error(plain.message) : new PocketError(plain.code, plain.message);
  if (plain.stack !== undefined) error.stack = plain.stack;
  return error;
}

/** The error of a call that its `AbortSignal` ended; the signal's reason is its `cause`. */
export function abortedError(what: string, signal?: AbortSignal): PocketError {
  return new PocketError('aborted', `${what} was aborted`, { cause: signal?.reason });
}
