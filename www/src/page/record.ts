/**
 * Converts a training record to and from text, because browsers can share only a few file types.
 */

const TEXT = /\.txt$/i;
/** Bytes to encode in one call, so that no call has too many arguments. */
const CHUNK = 3 * 8192;

/**
 * The record as a text file in base64: Chrome's share sheet accepts no unknown file types, and mail
 * may change the line ends of a text.
 */
export async function asText(record: Blob, name: string): Promise<File> {
  const bytes = new Uint8Array(await record.arrayBuffer());
  const chunks: string[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK) chunks.push(btoa(String.fromCharCode(...bytes.subarray(at, at + CHUNK))));
  return new File(chunks, `${name}.txt`, { type: 'text/plain' });
}

/**
 * The record in a file, binary or base64. A file that is neither is returned as it is; the engine's
 * reader rejects it.
 */
export async function fromFile(file: File): Promise<Blob> {
  if (!TEXT.test(file.name)) return file;
  try {
    return new Blob([Uint8Array.from(atob((await file.text()).replace(/\s+/g, '')), (char) => char.charCodeAt(0))]);
  } catch {
    return file;
  }
}
