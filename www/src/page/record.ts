/** A training record as a file: as it is, or as text, since browsers share files of a few kinds only. */

const TEXT = /\.txt$/i;
/** Bytes at a time, so that no call has too many arguments. */
const PIECE = 3 * 8192;

/** The record in base64: Chrome's share sheet takes no file of unknown kind, and mail may change the line ends of a text. */
export async function asText(record: Blob, name: string): Promise<File> {
  const bytes = new Uint8Array(await record.arrayBuffer());
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += PIECE) pieces.push(btoa(String.fromCharCode(...bytes.subarray(at, at + PIECE))));
  return new File(pieces, `${name}.txt`, { type: 'text/plain' });
}

/** The record in a file, whichever way it was kept. What is neither is for the reader of records to refuse. */
export async function fromFile(file: File): Promise<Blob> {
  if (!TEXT.test(file.name)) return file;
  try {
    return new Blob([Uint8Array.from(atob((await file.text()).replace(/\s+/g, '')), (char) => char.charCodeAt(0))]);
  } catch {
    return file;
  }
}
