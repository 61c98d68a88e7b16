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

/** To chat: the model's own chat template is used. */
export interface Conversation {
  /** Who said what, in order. */
  messages: ChatMessage[];
}

/** One turn of a conversation. */
export interface ChatMessage {
  /** `system`, `user` or `assistant`, as a rule; the model's template decides. */
  role: string;
  /** What was said. */
  content: string;
}

/** What a model goes on from: a text; or a conversation, which its chat template writes out. */
export type Prompt = string | readonly ChatMessage[];

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
    /** Plain text, which has no rows: one text. */
    | { readonly kind: 'plain'; readonly rows: string[]; readonly heldOut: string[] }
  );

/** What was recognized in a file of examples. */
export interface ReadFile {
  /** How the file writes its rows. */
  readonly format: 'csv' | 'tsv' | 'jsonl' | 'json' | 'txt';
  /** How its bytes encode its text. */
  readonly encoding: 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';
  /** The file's own name of the column or key of each field. */
  readonly columns: Partial<Record<'text' | 'text_b' | 'label' | 'prompt' | 'completion' | 'messages', string>>;
  /** The rows that are left out, with the reason for each. */
  readonly problems: { readonly row: number; readonly message: string }[];
}

/** Options of {@link FineTuner.readRows}; `shots`, `holdOut` and `dataSeed` are as in training. */
export interface ReadOptions {
  /** The file's name. Its ending tells the format; without a known ending, the text does. */
  readonly name?: string;
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
