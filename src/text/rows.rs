//! The rows of a data set, whatever file they were read from.

use xxhash_rust::xxh3::Xxh3;

use crate::error::{Error, Result, bail, err};
use crate::text::chat::Conversation;
use crate::text::metrics::Normalise;

/// A labelled text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The text to classify; may be empty.
    pub text: String,
    /// The second text of a pair.
    pub text_b: Option<String>,
    /// The label as the file spells it, without surrounding white space.
    pub label: String,
    /// 1-based line of the file on which the row starts (header included), or number in a JSON array.
    pub row: usize,
}

/// A prompt with the text that should follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The text that the model is given; may be empty.
    pub prompt: String,
    /// The text that the model should write.
    pub completion: String,
    /// As [`Classified::row`].
    pub row: usize,
}

/// A prompt with the answers that may follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The text that the model is given. It ends in no white space other than line ends.
    pub prompt: String,
    /// The text that follows.
    pub reply: Reply,
    /// The class of the row, where all rows share their labels.
    pub class: Option<u32>,
    /// As [`Classified::row`].
    pub row: usize,
}

/// The text that follows a question, with the space before it, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// One of several candidates: the model's answer is the one whose tokens have the highest mean
    /// log-likelihood.
    Choice {
        /// All candidates.
        candidates: Vec<String>,
        /// Indices of the right candidates, at least one; training uses the first.
        correct: Vec<usize>,
    },
    /// Any text up to a line end.
    Text {
        /// Right answers, at least one; training uses the first.
        answers: Vec<String>,
        /// How they are compared.
        normalise: Normalise,
    },
}

impl Reply {
    /// The text after the prompt that training uses.
    pub fn trained(&self) -> String {
        match self {
            Reply::Choice { candidates, correct } => {
                correct.first().and_then(|i| candidates.get(*i)).cloned().unwrap_or_default()
            }
            Reply::Text { answers, .. } => format!(" {}\n", answers.first().map_or("", String::as_str)),
        }
    }
}

/// The rows of a file, all of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Labelled texts.
    Classified(Vec<Classified>),
    /// Prompts with completions.
    Completion(Vec<Completion>),
    /// Prompts with the answers that may follow them.
    Questions(Vec<Question>),
    /// Conversations.
    Chat(Vec<Conversation>),
    /// Plain text: each element is one stream, to be split into windows of the context's length.
    Plain(Vec<String>),
}

/// The rows of a file, with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The file's name, for messages.
    pub name: String,
    /// The rows: at least one.
    pub rows: Rows,
    /// The task that [`crate::text::task`] read them for, if any.
    pub task: Option<&'static str>,
}

impl Dataset {
    /// Number of rows (of streams, for plain text).
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Classified(rows) => rows.len(),
            Rows::Completion(rows) => rows.len(),
            Rows::Questions(rows) => rows.len(),
            Rows::Chat(rows) => rows.len(),
            Rows::Plain(texts) => texts.len(),
        }
    }

    /// Whether there are no rows; the readers never return an empty data set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// xxh3-64 of the content: a tag of the kind, then each field as its length in bytes (u64, little-endian) and
    /// its bytes, an absent `text_b` and the end of a list as the length 2^64 - 1. The file's name, format and row numbers do not
    /// matter, the rows' order does.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        let mut field = |text: Option<&str>| match text {
            Some(text) => {
                hash.update(&(text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
            None => hash.update(&u64::MAX.to_le_bytes()),
        };
        match &self.rows {
            Rows::Classified(rows) => {
                field(Some("classified"));
                for row in rows {
                    field(Some(&row.text));
                    field(row.text_b.as_deref());
                    field(Some(&row.label));
                }
            }
            Rows::Completion(rows) => {
                field(Some("completion"));
                for row in rows {
                    field(Some(&row.prompt));
                    field(Some(&row.completion));
                }
            }
            Rows::Questions(rows) => {
                field(Some("questions"));
                for row in rows {
                    field(Some(&row.prompt));
                    let (texts, correct) = match &row.reply {
                        Reply::Choice { candidates, correct } => (candidates, correct.as_slice()),
                        Reply::Text { answers, .. } => (answers, &[][..]),
                    };
                    texts.iter().for_each(|text| field(Some(text)));
                    field(None);
                    correct.iter().for_each(|i| field(Some(&i.to_string())));
                    field(None);
                }
            }
            Rows::Chat(rows) => {
                field(Some("chat"));
                for row in rows {
                    for message in &row.messages {
                        field(Some(&message.role));
                        field(Some(&message.content));
                    }
                    field(None);
                }
            }
            Rows::Plain(texts) => {
                field(Some("plain"));
                texts.iter().for_each(|text| field(Some(text)));
            }
        }
        hash.digest()
    }
}

/// The kind of a row, by the columns or keys that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Classified,
    Completion,
    Chat,
}

impl Kind {
    /// The kind that these column names or keys make; `place` is the file and row, for the message.
    pub(crate) fn of<'a>(place: &str, names: impl Iterator<Item = &'a str> + Clone) -> Result<Kind> {
        let has = |name: &str| names.clone().any(|n| n.eq_ignore_ascii_case(name));
        if has("messages") {
            return Ok(Kind::Chat);
        }
        let found = || match names.clone().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ") {
            found if found.is_empty() => "none".to_owned(),
            found => found,
        };
        if has("text") && has("label") {
            Ok(Kind::Classified)
        } else if has("prompt") && has("completion") {
            Ok(Kind::Completion)
        } else {
            let (missing, of) = match (has("text"), has("label"), has("prompt"), has("completion")) {
                (true, ..) => ("label", "`text` and `label`"),
                (_, true, ..) => ("text", "`text` and `label`"),
                (_, _, true, _) => ("completion", "`prompt` and `completion`"),
                (.., true) => ("prompt", "`prompt` and `completion`"),
                _ => ("text", "`text` and `label`, or `prompt` and `completion`"),
            };
            bail!(
                DataInvalid,
                "{place}, field `{missing}`: expected {of}, found {} (files of a published data set are read by its task)",
                found()
            )
        }
    }

    pub(crate) fn empty(self) -> Rows {
        match self {
            Kind::Classified => Rows::Classified(Vec::new()),
            Kind::Completion => Rows::Completion(Vec::new()),
            Kind::Chat => Rows::Chat(Vec::new()),
        }
    }
}

impl Rows {
    /// Adds a row whose fields `get` looks up by name: `None` when it is absent.
    pub(crate) fn add(
        &mut self,
        place: &str,
        row: usize,
        get: impl Fn(&str) -> Result<Option<String>>,
    ) -> Result<()> {
        let need = |name: &str| match get(name) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(missing(place, name)),
            Err(e) => Err(e),
        };
        let filled = |name: &str| {
            let value = need(name)?;
            if value.trim().is_empty() {
                bail!(DataInvalid, "{place}, field `{name}`: expected a value, found nothing");
            }
            Ok(value)
        };
        match self {
            Rows::Classified(rows) => {
                let label = filled("label")?.trim().to_string();
                rows.push(Classified { text: need("text")?, text_b: get("text_b")?, label, row });
            }
            Rows::Completion(rows) => {
                let completion = filled("completion")?;
                rows.push(Completion { prompt: need("prompt")?, completion, row });
            }
            // A table's cell holds no messages.
            Rows::Chat(_) => {
                bail!(DataInvalid, "{place}, field `messages`: expected chat data as .jsonl, found a table")
            }
            Rows::Questions(_) | Rows::Plain(_) => {}
        }
        Ok(())
    }
}

fn missing(place: &str, name: &str) -> Error {
    err!(DataInvalid, "{place}, field `{name}`: expected a value, found none")
}
