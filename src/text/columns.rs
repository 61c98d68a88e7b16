//! Which column of a table, or key of a JSON object, contains which field of a row; and the rows read so far.

use serde::Serialize;

use crate::error::{Error, Result, bail, err};
use crate::text::chat::Conversation;
use crate::text::rows::{Classified, Completion, Rows};

/// Names of the column of texts to classify, the preferred one first.
const TEXT: &[&str] =
    &["text", "sentence", "message", "review", "content", "body", "comment", "sms", "email", "tweet"];

/// Names of the column of labels, the preferred one first.
const LABEL: &[&str] = &["label", "class", "category", "sentiment", "group", "type", "kind", "tag", "topic"];

/// Other names of the columns `prompt` and `completion`, the preferred pair first.
const PAIRS: &[(&str, &str)] =
    &[("question", "answer"), ("instruction", "response"), ("instruction", "output"), ("input", "output")];

/// Names of the column of a conversation's messages. ShareGPT's are called `conversations`.
const TURNS: &[&str] = &["messages", "conversations", "conversation"];

/// Names of Alpaca's columns `input` and `output`, which accompany `instruction`.
const INPUT: &[&str] = &["input", "context"];
const OUTPUT: &[&str] = &["output", "response"];

/// Whether a column of this name has texts to classify.
pub(crate) fn is_text(name: &str) -> bool {
    TEXT.iter().any(|known| known.eq_ignore_ascii_case(name.trim()))
}

/// Whether a column of this name has labels.
pub(crate) fn is_label(name: &str) -> bool {
    LABEL.iter().any(|known| known.eq_ignore_ascii_case(name.trim()))
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The row, as in [`Classified::row`].
    pub row: usize,
    /// The row and the field, what was expected there and what was found.
    pub message: String,
}

/// The kind of rows that the columns form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Classified,
    /// Texts, without any other column.
    Text,
    Completion,
    /// An instruction, perhaps an input, and an output, as in Alpaca's data.
    Instruction,
    Chat,
    /// Messages as prompt and as completion.
    ChatPair,
}

/// The kind of a file's rows, and each field's column name in the file.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub(crate) kind: Kind,
    names: Vec<(&'static str, String)>,
}

impl Columns {
    /// Texts and labels in the columns that were chosen. A second text is looked up by name.
    pub(crate) fn chosen<'a>(text: &str, label: &str, names: impl Iterator<Item = &'a str>) -> Columns {
        let is_second = |name: &&str| name.trim().eq_ignore_ascii_case("text_b");
        let text_b = names.into_iter().filter(|name| *name != text && *name != label).find(is_second);
        let fields = [("text", Some(text)), ("text_b", text_b), ("label", Some(label))];
        let names = fields.into_iter().filter_map(|(field, name)| Some((field, name?.to_owned()))).collect();
        Columns { kind: Kind::Classified, names }
    }

    /// Finds the fields among column names or keys, ignoring case. Columns called `text` and `label`, or `prompt` and `completion`,
    /// take precedence over columns with alternative names.
    ///
    /// # Errors
    /// `data-invalid`, starting with `place`, if the columns do not form a row.
    pub(crate) fn of<'a>(place: &str, names: impl Iterator<Item = &'a str> + Clone) -> Result<Columns> {
        let find = |field: &str| names.clone().map(str::trim).find(|name| name.eq_ignore_ascii_case(field));
        let any = |fields: &[&str]| fields.iter().find_map(|field| find(field));
        let columns = |kind, fields: &[(&'static str, Option<&str>)]| {
            let own = |(field, name): &(&'static str, Option<&str>)| Some((*field, (*name)?.to_owned()));
            Ok(Columns { kind, names: fields.iter().filter_map(own).collect() })
        };
        let text_b = ("text_b", find("text_b"));
        let [text, label, prompt, completion] = ["text", "label", "prompt", "completion"].map(find);
        if let (1, Some(text)) = (names.clone().count(), any(TEXT)) {
            columns(Kind::Text, &[("text", Some(text))])
        } else if let Some(messages) = any(TURNS) {
            columns(Kind::Chat, &[("messages", Some(messages))])
        } else if text.is_some() && label.is_some() {
            columns(Kind::Classified, &[("text", text), text_b, ("label", label)])
        } else if prompt.is_some() && completion.is_some() {
            columns(Kind::Completion, &[("prompt", prompt), ("completion", completion)])
        } else if let (Some(instruction), Some(input), Some(output)) =
            (find("instruction"), any(INPUT), any(OUTPUT))
        {
            let fields = [("prompt", instruction), ("input", input), ("completion", output)];
            columns(Kind::Instruction, &fields.map(|(field, name)| (field, Some(name))))
        } else if let (Some(text), Some(label)) = (any(TEXT), any(LABEL)) {
            columns(Kind::Classified, &[("text", Some(text)), text_b, ("label", Some(label))])
        } else if let Some((prompt, completion)) =
            PAIRS.iter().find_map(|(prompt, completion)| find(prompt).zip(find(completion)))
        {
            columns(Kind::Completion, &[("prompt", Some(prompt)), ("completion", Some(completion))])
        } else {
            let (missing, of) = match (any(TEXT), any(LABEL), prompt, completion) {
                (Some(_), ..) => ("label", "`text` and `label`"),
                (_, Some(_), ..) => ("text", "`text` and `label`"),
                (_, _, Some(_), _) => ("completion", "`prompt` and `completion`"),
                (.., Some(_)) => ("prompt", "`prompt` and `completion`"),
                _ => ("text", "`text` and `label`, or `prompt` and `completion`"),
            };
            let found: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
            bail!(DataInvalid, "{place}, field `{missing}`: expected the columns {of}, found {found}")
        }
    }

    /// The same columns, with messages as prompt and completion.
    pub(crate) fn with_turns(self) -> Columns {
        Columns { kind: Kind::ChatPair, ..self }
    }

    /// The file's own name for a field's column.
    pub(crate) fn name<'a>(&'a self, field: &'a str) -> &'a str {
        self.names.iter().find(|(known, _)| *known == field).map_or(field, |(_, name)| name)
    }

    /// Each field with its column name in the file.
    pub(crate) fn names(self) -> Vec<(&'static str, String)> {
        self.names
    }
}

/// Maximum number of unread columns that are listed. The rows of a JSON file may each have other keys.
const MAX_UNREAD: usize = 100;

/// The rows that a reader has found, and the rows that could not be used.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) columns: Columns,
    /// The columns that are not read.
    pub(crate) unread: Vec<String>,
    pub(crate) rows: Rows,
    pub(crate) problems: Vec<Problem>,
}

impl Table {
    /// An empty table with these columns, out of all the columns in the file.
    pub(crate) fn new<'a>(columns: Columns, all: impl Iterator<Item = &'a str>) -> Table {
        let rows = match columns.kind {
            Kind::Classified => Rows::Classified(Vec::new()),
            Kind::Text => Rows::Plain(Vec::new()),
            Kind::Completion | Kind::Instruction => Rows::Completion(Vec::new()),
            Kind::Chat | Kind::ChatPair => Rows::Chat(Vec::new()),
        };
        let mut table = Table { columns, unread: Vec::new(), rows, problems: Vec::new() };
        table.mention(all);
        table
    }

    /// Lists those of the file's columns that are not read.
    pub(crate) fn mention<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        // The template of a chat may read any column.
        if matches!(self.rows, Rows::Chat(_)) {
            return;
        }
        let is_read = |name: &str| self.columns.names.iter().any(|(_, own)| own == name);
        let unread = names.map(str::trim).filter(|name| !is_read(name)).map(str::to_owned);
        self.unread.extend(unread.take(MAX_UNREAD.saturating_sub(self.unread.len())));
    }

    /// Adds a row, or the reason why it cannot be used.
    pub(crate) fn add(&mut self, row: usize, record: Result<&dyn Record>) {
        if let Err(error) = record.and_then(|record| self.fill(row, record)) {
            self.problems.push(Problem { row, message: format!("row {row}{}", error.message()) });
        }
    }

    /// The table without the rows that lack a second text, if other rows have one. Their absence is a problem of these rows: as single
    /// texts they would have another form than the rest.
    pub(crate) fn without_half_pairs(mut self) -> Table {
        let Rows::Classified(rows) = &mut self.rows else { return self };
        let Some(whole) = rows.iter().find(|row| row.text_b.is_some()).map(|row| row.row) else {
            return self;
        };
        self.problems.extend(rows.extract_if(.., |row| row.text_b.is_none()).map(|Classified { row, .. }| Problem {
            row,
            message: format!(
                "row {row}, field `text_b`: expected a second text, because row {whole} has one, found none. Write an empty text if the row has \
                 none"
            ),
        }));
        self.problems.sort_by_key(|problem| problem.row);
        self
    }

    fn fill(&mut self, row: usize, record: &dyn Record) -> Result<()> {
        let columns = &self.columns;
        let get = |field: &str| record.text(columns.name(field), field).map_err(|e| in_field(field, &e));
        let need = |field: &str| {
            get(field)?.ok_or_else(|| in_field(field, &err!(DataInvalid, "expected a value, found none")))
        };
        let filled = |field: &str| match need(field)? {
            value if value.trim().is_empty() => {
                Err(in_field(field, &err!(DataInvalid, "expected a value, found nothing")))
            }
            value => Ok(value),
        };
        match &mut self.rows {
            Rows::Classified(rows) => {
                let label = filled("label")?.trim().to_owned();
                rows.push(Classified { text: need("text")?, text_b: get("text_b")?, label, row });
            }
            Rows::Completion(rows) => {
                let completion = filled("completion")?;
                let prompt = match columns.kind {
                    Kind::Instruction => alpaca(&filled("prompt")?, get("input")?.as_deref()),
                    _ => need("prompt")?,
                };
                rows.push(Completion { prompt, completion, row });
            }
            Rows::Chat(rows) => {
                let conversation = record.conversation(columns).map_err(|e| in_field("messages", &e))?;
                rows.push(Conversation { row, ..conversation });
            }
            Rows::Plain(texts) => texts.push(filled("text")?),
            Rows::Questions(_) => {}
        }
        Ok(())
    }
}

/// The prompt for an instruction in Alpaca's format, with each part under its heading.
fn alpaca(instruction: &str, input: Option<&str>) -> String {
    match input.map(str::trim).filter(|input| !input.is_empty()) {
        Some(input) => {
            format!("### Instruction:\n{}\n\n### Input:\n{input}\n\n### Response:\n", instruction.trim())
        }
        None => format!("### Instruction:\n{}\n\n### Response:\n", instruction.trim()),
    }
}

/// An error about a field, to follow the row's number.
fn in_field(field: &str, error: &Error) -> Error {
    let separator = if error.message().starts_with(',') { "" } else { ": " };
    Error::new(error.code(), format!(", field `{field}`{separator}{}", error.message()))
}

/// A row of a file whose fields are looked up by column name.
pub(crate) trait Record {
    /// The text in a column; `None` if the row has none. `field` names the field in error messages.
    ///
    /// # Errors
    /// `data-invalid` if the value is not a text.
    fn text(&self, column: &str, field: &str) -> Result<Option<String>>;

    /// The conversation in the columns.
    ///
    /// # Errors
    /// `data-invalid` if there is no conversation.
    fn conversation(&self, columns: &Columns) -> Result<Conversation>;
}
