/** What a person brings: texts to learn from, and files. */

/** One labelled row, prompt-and-completion pair or conversation. */
export type Example = LabelledText | Completion | Conversation;

/** To classify. */
export interface LabelledText {
  /** The text. */
  text: string;
  /** The second text of a pair. */
  text_b?: string;
  /** One of the `labels` of the call. */
  label: string;
}

/** To continue: the loss counts the completion's tokens. */
export interface Completion {
  /** What the model is given. */
  prompt: string;
  /** What it should write. */
  completion: string;
}

/** To chat: the model's own chat template is used. It also sees the other fields, such as `chat_template_kwargs`. */
export interface Conversation {
  /** Who said what, in order. */
  messages: ChatMessage[];
  /** The functions that the model may call, as JSON schemas. */
  tools?: object[];
  /** What the model may read. */
  documents?: object[];
}

/** One turn of a conversation. The template sees all of its fields, such as `tool_calls` and `reasoning_content`. */
export interface ChatMessage {
  /** `system`, `user`, `assistant` or `tool`, as a rule; the model's template decides. */
  role: string;
  /** What was said: a text, or parts of a text. A turn that only calls tools has none. */
  content?: string | object | null;
}

/** What a model goes on from: a text; or a conversation, which its chat template writes out. */
export type Prompt = string | readonly ChatMessage[] | Conversation;

/**
 * What to learn from, or to measure on: rows; or the text of a CSV, TSV or JSONL file, or plain
 * text; or such a file as a `File` or `Blob`, which is read in the worker.
 */
export type Data = string | readonly Example[] | Blob;

/** A file of examples as {@link FineTuner.readRows} reads it. */
export type ReadRows = ReadFile &
  (
    | { readonly kind: 'classified'; readonly rows: LabelledText[]; readonly heldOut: LabelledText[] }
    | { readonly kind: 'completion'; readonly rows: Completion[]; readonly heldOut: Completion[] }
    | { readonly kind: 'chat'; readonly rows: Conversation[]; readonly heldOut: Conversation[] }
    /** Plain text, which has no rows: one text. Or, with `unlabeled` or a `layout` without a label, the text of each row. */
    | { readonly kind: 'plain'; readonly rows: string[]; readonly heldOut: string[] }
  );

/** What was recognized in a file of examples. */
export interface ReadFile {
  /** How the file writes its rows. */
  readonly format: 'csv' | 'tsv' | 'jsonl' | 'json' | 'txt';
  /** How its bytes encode its text. */
  readonly encoding: 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';
  /** The file's own name of the column or key of each field. */
  readonly columns: Partial<Record<'text' | 'text_b' | 'label' | 'prompt' | 'input' | 'completion' | 'messages', string>>;
  /** The rows that are left out, with the reason for each. */
  readonly problems: { readonly row: number; readonly message: string }[];
  /** What was found out about columns that do not have known names. */
  readonly layout?: Layout;
  /** What else a person should know of how the file was read, in sentences. */
  readonly notes: readonly string[];
}

/** The columns of a file, and which of them have the texts and the labels. */
export interface Layout {
  /** Every column with its name (or `column 1` and so on) and the beginnings of its first values. */
  readonly columns: readonly { readonly name: string; readonly samples: readonly string[] }[];
  /** Whether the first line has the names of the columns. */
  readonly header: boolean;
  /** The index of the column of the texts. */
  readonly text?: number;
  /** The index of the column of the labels. Without it the rows are texts without labels. */
  readonly label?: number;
  /**
   * How sure that is. If it is `unsure`, let a person choose: several columns could be the labels,
   * or none could.
   */
  readonly certainty: 'chosen' | 'likely' | 'unsure';
  /** What was understood, in sentences. */
  readonly understood: string;
}

/** Options of {@link FineTuner.readRows}; `shots`, `holdOut` and `dataSeed` are as in training. */
export interface ReadOptions {
  /** The file's name. Its ending tells the format; without a known ending, the text does. */
  readonly name?: string;
  /** The column of the texts, by its name or its number from 1, in decimal digits. */
  readonly textColumn?: string;
  /** The column of the labels, by its name or its number from 1, in decimal digits. */
  readonly labelColumn?: string;
  /** How the file writes its rows, instead of what its name or its content tells. */
  readonly format?: 'csv' | 'tsv' | 'jsonl' | 'json' | 'text';
  /** Whether the rows have labels. Then labels are also looked for in what could be plain text. */
  readonly labeled?: boolean;
  /** Whether only the texts are read, one from each row or line, because their labels will be chosen later. */
  readonly unlabeled?: boolean;
  readonly shots?: number;
  readonly holdOut?: number;
  readonly dataSeed?: number;
}

/** A model file by the name that it has in its directory. */
export interface NamedBlob {
  /** Such as `config.json`. */
  readonly name: string;
  /** Its bytes. */
  readonly blob: Blob;
}
