/** Types of data and of model files. */

/** One example: a labeled row, a text to write like, a prompt with its completion, or a conversation. */
export type Example = LabelledText | PlainText | Completion | Conversation;

/** An example for a classifier. */
export interface LabelledText {
  /** The text. */
  text: string;
  /** The second text of a pair. */
  text_b?: string;
  /** One of the `labels` of the call. */
  label: string;
}

/** A text to write like. Every token of it is learned, and also where it ends. This form is recognized if all examples have it. */
export interface PlainText {
  /** The text. */
  text: string;
}

/** An example of a text to continue. The loss is measured on the tokens of the completion. */
export interface Completion {
  /** The text before the completion. */
  prompt: string;
  /** The text that the model should write. */
  completion: string;
}

/** A conversation, which the model's chat template turns into text. The template also sees other fields, such as `chat_template_kwargs`. */
export interface Conversation {
  /** The turns of the conversation, in order. */
  messages: ChatMessage[];
  /** The functions that the model may call, as JSON schemas. */
  tools?: object[];
  /** Documents that the model may use. */
  documents?: object[];
}

/** One turn of a conversation. The template sees all of its fields, such as `tool_calls` and `reasoning_content`. */
export interface ChatMessage {
  /** Usually `system`, `user`, `assistant` or `tool`; the model's template decides which roles there are. */
  role: string;
  /** A text, or parts of a text. A turn that only calls tools has no content. */
  content?: string | object | null;
}

/** What a model continues: a text, or a conversation, which its chat template turns into text. */
export type Prompt = string | readonly ChatMessage[] | Conversation;

/**
 * Data for training or evaluation: an array of examples; the content of a CSV, TSV, JSON or JSONL file, or plain
 * text, as a string; or a `File` or `Blob` with such content, which is read in the worker. Errors refer to an array as `data.json`, and number
 * its rows from 1.
 */
export type Data = string | readonly Example[] | Blob;

/**
 * A file of examples as {@link FineTuner.readRows} reads it. Its rows are texts with labels, prompts with completions, conversations, or one
 * plain text. Texts without labels are of the last kind, too: with `unlabeled`, if there is only a column of texts, or if the `layout` has no labels.
 */
export type ReadRows = ReadFile & (DrawnRows<'classified', LabelledText> | DrawnRows<'completion', Completion> | DrawnRows<'chat', Conversation> | DrawnRows<'plain', string>);

/** The rows of a file, all of which are of one kind. */
export interface DrawnRows<Kind, Row> {
  /** What the rows are. */
  readonly kind: Kind;
  /** The rows to learn from: all of them, or those that `shots` draws. */
  readonly rows: Row[];
  /** The rows that `holdOut` draws to measure on. */
  readonly heldOut: Row[];
}

/** What was recognized in a file of examples. */
export interface ReadFile {
  /** The format of the file. */
  readonly format: 'csv' | 'tsv' | 'jsonl' | 'json' | 'txt';
  /** The character encoding of the file. */
  readonly encoding: 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';
  /** For each field, the name of its column or key in the file. */
  readonly columns: Partial<Record<'text' | 'text_b' | 'label' | 'prompt' | 'input' | 'completion' | 'messages', string>>;
  /** The rows that are left out, with the reason for each. */
  readonly problems: RowProblem[];
  /** The layout that was inferred if the columns do not have known names. */
  readonly layout?: Layout;
  /** What else a person should know about how the file was read, in sentences. */
  readonly notes: readonly string[];
  /** The same as data, so that it can be shown in another language. */
  readonly noted: readonly ReadNote[];
}

/** Why a row is left out. */
export interface RowProblem {
  /** The line of the file on which the row starts, from 1. */
  readonly row: number;
  /** The reason, in a sentence. */
  readonly message: string;
}

/**
 * What a person should know about how a file was read: its lines end with carriage returns alone; or instructions with inputs are written as
 * one prompt, under the headings of Alpaca; or one of the other notes.
 */
export type ReadNote = EncodingNote | UnreadNote | PlainNote<'carriage-returns'> | PlainNote<'alpaca'>;

/** A note that needs no further data. */
export interface PlainNote<Note> {
  /** What the note says. */
  readonly note: Note;
}

/** The text is not in UTF-8. */
export interface EncodingNote extends PlainNote<'encoding'> {
  /** The name of the encoding. */
  readonly name: string;
}

/** Some columns are not read. */
export interface UnreadNote extends PlainNote<'unread'> {
  /** The names of these columns. */
  readonly columns: readonly string[];
}

/** A column of a file. */
export interface Column {
  /** The column's name, or `column 1` and so on. */
  readonly name: string;
  /** Whether the file itself has that name. */
  readonly named: boolean;
  /** The beginnings of the column's first values. */
  readonly samples: readonly string[];
}

/** Where each line is divided into two columns. */
export interface Divided {
  /** Whether it is divided at the first or at the last of the marks in it. */
  readonly at: 'first' | 'last';
  /** The mark, such as a colon. */
  readonly mark: string;
}

/** The columns of a file, with those that have the texts and the labels. */
export interface Layout {
  /** Every column, in the order of the file. */
  readonly columns: readonly Column[];
  /** Whether the first line has the names of the columns. */
  readonly header: boolean;
  /** Where each line is divided, if its fields are not those of a table. The first column is before the mark, and the second one after it. */
  readonly divided?: Divided;
  /** The index of the column of the texts. */
  readonly text?: number;
  /** The index of the column of the labels. Without it the rows are texts without labels. */
  readonly label?: number;
  /**
   * How certain that is. If it is `unsure`, let a person choose: several columns could be the labels, or none could.
   */
  readonly certainty: 'chosen' | 'likely' | 'unsure';
  /** What was understood, in sentences; the other fields have the same information as data. */
  readonly understood: string;
}

/** Options of {@link FineTuner.readRows}. */
export interface ReadOptions {
  /** The file's name. Its extension determines the format; without a known extension, the text does. */
  readonly name?: string;
  /** The column of the texts, by its name or its number from 1, in decimal digits. */
  readonly textColumn?: string;
  /** The column of the labels, by its name or its number from 1, in decimal digits. */
  readonly labelColumn?: string;
  /** The format of the file. By default, the name or the content determines it. */
  readonly format?: 'csv' | 'tsv' | 'jsonl' | 'json' | 'text';
  /** Whether the rows have labels. Then labels are also looked for in what could be plain text. */
  readonly labeled?: boolean;
  /** Whether only the texts are read, one from each row or line, because their labels will be chosen later. */
  readonly unlabeled?: boolean;
  /** The number of rows to draw from each class, as in training. */
  readonly shots?: number;
  /** The number of rows to hold out, as in training. */
  readonly holdOut?: number;
  /** The seed of the draw, as in training. */
  readonly dataSeed?: number;
}

/** A model file by the name that it has in its directory. */
export interface NamedBlob {
  /** The file's name, such as `config.json`. */
  readonly name: string;
  /** The file's content. */
  readonly blob: Blob;
}
