/** Says in the page's language what the engine has recognized in a file. */
import type { Layout, ReadNote } from 'pocketllm';
import { joined } from './format.ts';
import { t } from './text.ts';

/** The maximum number of labels that a sentence lists. */
const LISTED = 6;

/** What the page calls a column. A column without a name in the file is called by its number, or by its place in a line. */
export function columnName(layout: Layout | undefined, at = 0): string {
  const column = layout?.columns[at];
  if (column === undefined) return '';
  // A layout of an earlier version of the page does not say whether it has a name.
  if (column.named !== false) return column.name;
  const { divided } = layout ?? {};
  if (divided === undefined) return t.columns.numbered(at + 1);
  return at === 0 ? t.columns.before(markName(divided.mark)) : t.columns.after(markName(divided.mark));
}

/** Where the texts and the labels are. */
export function sayLayout(layout: Layout, labels: readonly string[]): string {
  const { text, label, divided, header, columns } = layout;
  const found = labels.length === 0 ? '' : t.columns.labels(labels.length, labels.slice(0, LISTED), labels.length > LISTED);
  const isExample = columns.every(({ named }) => named === false);
  const first = header ? [t.columns.firstNames] : isExample ? [t.columns.firstExample] : [];
  if (text === undefined) return joined([t.columns.noText, ...first]);
  // A person may have exchanged the two parts of a line.
  const usual = divided !== undefined && label === (divided.at === 'first' ? 0 : 1);
  const name = (at: number): string => (columns[at]?.named === false ? columnName(layout, at) : t.columns.named(columnName(layout, at)));
  if (label === undefined) return joined([t.columns.noLabel(name(text)), ...first]);
  const where = usual ? t.columns.divided[divided.at](markName(divided.mark), found) : t.columns.both(name(text), name(label), found);
  return joined([where, ...first]);
}

/** What else a person should know about how a file was read. */
export function sayNotes(notes: readonly ReadNote[]): string[] {
  return notes.map((each) => {
    switch (each.note) {
      case 'encoding':
        return t.columns.encoding(each.name);
      case 'carriage-returns':
        return t.columns.carriageReturns;
      case 'alpaca':
        return t.columns.alpaca;
      case 'unread':
        return t.columns.unread(each.columns);
    }
  });
}

function markName(mark: string): string {
  const { colon, comma, semicolon, tab } = t.columns.marks;
  return { ':': colon, '\uFF1A': colon, ',': comma, ';': semicolon, '\t': tab }[mark] ?? mark;
}
