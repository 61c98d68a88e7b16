/** A table as a CSV file that spreadsheets open. */

/** Written first, so that spreadsheets read the file as UTF-8. */
const BYTE_ORDER_MARK = '\uFEFF';

/**
 * A cell by RFC 4180, quoted where necessary. A spreadsheet would run a cell that begins like a formula, and the texts come from
 * strangers, so such a cell gets an apostrophe in front, which spreadsheets take as the mark of a text.
 */
function cell(value: string): string {
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",;\r\n\t]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Rows of cells as the content of a CSV file. */
export const csv = (rows: Iterable<readonly string[]>): string => BYTE_ORDER_MARK + [...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
