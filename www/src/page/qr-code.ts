/** A QR code as a picture in the page. */
import { encodeQR } from 'qr';

/**
 * The maximum number of bytes in a QR code that is offered: the capacity of version 22 at the lowest error correction. A QR code can hold
 * 2,953 bytes, but larger codes are not always read from a slightly tilted and blurred picture of a phone's screen (tests/link.test.ts).
 */
export const MOST_QR_BYTES = 1003;
const SVG = 'http://www.w3.org/2000/svg';

/** The code for a text of at most {@link MOST_QR_BYTES}, black on white in light and in dark mode, as scanners need it. */
export function qrCode(text: string, label: string): SVGSVGElement {
  const rows = encodeQR(text, 'raw', { ecc: 'low', encoding: 'byte', border: 4 });
  const size = rows.length;
  const picture = document.createElementNS(SVG, 'svg');
  const attributes = { viewBox: `0 0 ${size} ${size}`, role: 'img', 'aria-label': label, class: 'qr', 'shape-rendering': 'crispEdges' };
  for (const [name, value] of Object.entries(attributes)) picture.setAttribute(name, value);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join(''));
  picture.append(path);
  return picture;
}
