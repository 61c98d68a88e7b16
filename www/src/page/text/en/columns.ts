/** How the columns of a file or the lines of a text were understood. */
export const columns = {
  marks: { colon: 'colon', comma: 'comma', semicolon: 'semicolon', tab: 'tab' },
  /** What a column without a name of its own is called, alone and in a sentence. */
  numbered: (at: number) => `column ${at}`,
  before: (mark: string) => `the part before the ${mark}`,
  after: (mark: string) => `the part after the ${mark}`,
  named: (name: string) => `the column “${name}”`,
  labels: (many: number, names: readonly string[], more: boolean) => ` (${many} ${many === 1 ? 'label' : 'labels'}: ${names.map((name) => `“${name}”`).join(', ')}${more ? ', …' : ''})`,
  divided: {
    first: (mark: string, labels: string) => `The label comes before the first ${mark} of each line${labels}.`,
    last: (mark: string, labels: string) => `The label comes after the last ${mark} of each line${labels}.`,
  },
  both: (text: string, label: string, labels: string) => `The text is in ${text} and the label in ${label}${labels}.`,
  noLabel: (text: string) => `The text is in ${text}. No column is used as the label.`,
  noText: 'No column is used as the text.',
  firstNames: 'The first line has the column names.',
  firstExample: 'The first line is an example.',
  encoding: (name: string) => `The text is encoded in ${name}.`,
  carriageReturns: 'The line ends are carriage returns, as on old Macintoshes.',
  alpaca: 'Questions are written in the form of Alpaca: ### Instruction:, ### Input: and ### Response:.',
  unread: (names: readonly string[]) => `The other columns are not read: ${names.map((name) => `“${name}”`).join(', ')}.`,
};
