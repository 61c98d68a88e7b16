/** Zip archives of what was trained. Nothing in them is compressed, because weights do not shrink. */
import { Zip, ZipPassThrough, zipSync } from 'fflate';
import { PocketError } from './errors.js';

/** The time of every file, so that equal contents make equal archives. */
const TIME = new Date(1980, 0, 1);
/** An archive without the 64-bit extension has 32 bits for a position. */
const MOST = 2 ** 32 - 2 ** 20;

/** An archive of small files. */
export function zipped(files: Readonly<Record<string, Uint8Array>>): Blob {
  return blob([zipSync(files, { level: 0, mtime: TIME }) as Uint8Array<ArrayBuffer>]);
}

/**
 * An archive that is written in chunks. Each chunk becomes a Blob, which the browser can hold
 * outside this process.
 */
export class ZipWriter {
  readonly #parts: Blob[] = [];
  readonly #zip = new Zip((error, chunk) => {
    if (error !== null) throw error;
    this.#parts.push(new Blob([chunk as Uint8Array<ArrayBuffer>]));
  });
  #path: string | undefined;
  #file: ZipPassThrough | undefined;
  #bytes = 0;

  /** Writes a chunk of a file. The chunks of a file follow one another. */
  write(path: string, chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (this.#bytes > MOST) throw new PocketError('limit-exceeded', 'a zip archive can hold at most 4 GB: export the model as one safetensors file instead');
    if (path !== this.#path) {
      this.#file?.push(new Uint8Array(), true);
      this.#path = path;
      this.#file = new ZipPassThrough(path);
      this.#file.mtime = TIME;
      this.#zip.add(this.#file);
    }
    this.#file?.push(chunk);
  }

  end(): Blob {
    this.#file?.push(new Uint8Array(), true);
    this.#zip.end();
    return blob(this.#parts);
  }
}

const blob = (parts: BlobPart[]): Blob => new Blob(parts, { type: 'application/zip' });
