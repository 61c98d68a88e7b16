/** Sorting a whole list of texts. */
import { count, plural } from '../../format.ts';

export const sorting = {
  title: 'Sort a list of texts',
  field: 'Texts, one per line',
  note: 'Paste them, or choose a file. Nothing is uploaded.',
  choose: 'Choose a file',
  start: 'Sort them',
  stop: 'Stop',
  download: 'Download the table (CSV)',
  fileName: 'sorted.csv',
  /** The columns of the table. */
  text: 'Text',
  label: 'Label',
  probability: 'How sure',
  reading: 'Reading the texts',
  progress: (done: number, all: number) => `${count(done)} of ${count(all)} sorted`,
  done: (all: number) => `${plural(all, 'text')} sorted`,
  foreign: (texts: number) => `${plural(texts, 'text is', 'texts are')} in letters that this model hardly knows. So ${texts === 1 ? 'its label says' : 'their labels say'} little, however sure ${texts === 1 ? 'it looks' : 'they look'}.`,
  stopped: (done: number, all: number) => `Stopped after ${count(done)} of ${plural(all, 'text')}`,
  leastSure: 'It is least sure of these',
  first: 'The first ones',
  empty: 'Paste some texts, or choose a file.',
  chosen: (name: string, rows: number) => `${name}: ${plural(rows, 'text')}.`,
  columns: (name: string) => `The texts come from the column “${name}”.`,
};
