//! The rows of a data set, independent of the kind of file that they were read from.

use std::collections::HashSet;

use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use crate::text::chat::Conversation;
use crate::text::metrics::Normalize;

/// A labeled text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Classified {
    /// The text to classify; may be empty.
    pub text: String,
    /// The second text of a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_b: Option<String>,
    /// The label as the file spells it, without surrounding white space.
    pub label: String,
    /// 1-based line of the file on which the row starts (header included), or number in a JSON array.
    #[serde(skip)]
    pub row: usize,
}

/// A prompt and the text that should follow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Completion {
    /// The text that the model is given; may be empty.
    pub prompt: String,
    /// The text that the model should write.
    pub completion: String,
    /// As [`Classified::row`].
    #[serde(skip)]
    pub row: usize,
}

/// A prompt with the answers that may follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The text that the model is given. It ends in no white space other than line ends.
    pub prompt: String,
    /// The text that follows.
    pub reply: Reply,
    /// The class of the row, if all rows share their labels.
    pub class: Option<u32>,
    /// As [`Classified::row`].
    pub row: usize,
}

/// The text that follows a question, including a space before it, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// One of several candidates. The model's answer is the candidate whose tokens have the highest mean log-likelihood.
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
        normalize: Normalize,
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
    /// Labeled texts.
    Classified(Vec<Classified>),
    /// Prompts with completions.
    Completion(Vec<Completion>),
    /// Prompts with the answers that may follow them.
    Questions(Vec<Question>),
    /// Conversations.
    Chat(Vec<Conversation>),
    /// Plain text: each element is one stream, to be split into windows of the context's length. Of several, each is a text of its own
    /// with an end.
    Plain(Vec<String>),
}

impl Rows {
    /// A hash of each row's texts without its label, which is the same for copies of a row.
    pub(crate) fn tags(&self) -> impl Iterator<Item = u64> {
        let texts: Vec<Vec<String>> = match self {
            Rows::Classified(rows) => {
                let both = |row: &Classified| {
                    [Some(&row.text), row.text_b.as_ref()].into_iter().flatten().cloned().collect()
                };
                rows.iter().map(both).collect()
            }
            Rows::Completion(rows) => {
                rows.iter().map(|row| vec![row.prompt.clone(), row.completion.clone()]).collect()
            }
            Rows::Questions(rows) => rows.iter().map(|row| vec![row.prompt.clone()]).collect(),
            Rows::Chat(rows) => rows.iter().map(|row| vec![format!("{:?}", row.messages)]).collect(),
            Rows::Plain(texts) => texts.iter().map(|text| vec![text.clone()]).collect(),
        };
        texts.into_iter().map(|texts| {
            let mut hash = Xxh3::new();
            for text in texts.iter().map(|text| text.trim()) {
                hash.update(&(text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
            hash.digest()
        })
    }

    /// Selects labeled rows by their indices, in the given order. Rows of other kinds give an empty list.
    pub fn select(&self, places: &[usize]) -> Rows {
        match self {
            Rows::Classified(rows) => {
                Rows::Classified(places.iter().filter_map(|place| rows.get(*place).cloned()).collect())
            }
            _ => Rows::Classified(Vec::new()),
        }
    }
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

    /// How many of the rows have a text that is also in `other`. Labels are ignored, because a known text with another label is
    /// not a new one either.
    pub fn shared_with(&self, other: &Dataset) -> usize {
        let known: HashSet<u64> = other.rows.tags().collect();
        self.rows.tags().filter(|tag| known.contains(tag)).count()
    }

    /// xxh3-64 of the content: a tag of the kind, then each field as its length in bytes (u64, little-endian) and its bytes. An
    /// absent `text_b` and the end of a list are the length 2^64 - 1. The file's name, format and row numbers do not matter, but
    /// the order of the rows does. If a message has fields other than a role and a text, they follow as JSON.
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
                    row.messages.iter().for_each(|message| message.hash(&mut field));
                    row.hash(&mut field);
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

#[cfg(test)]
mod tests {
    use crate::text::dataset::read;

    #[test]
    fn rows_whose_text_is_in_another_set_are_counted() {
        let set = |text: &str| read("x.csv", text.as_bytes()).unwrap();
        let train = set("text,label\nlunch at noon,a\npay here,b\nsee you,a\n");
        assert_eq!(set("text,label\npay here,b\nlunch at noon,b\nnew,a\n").shared_with(&train), 2);
        assert_eq!(train.shared_with(&train), 3);
        assert_eq!(set("text,label\n\" pay here \",a\n").shared_with(&train), 1);
        assert_eq!(set("text,label\nnoon,a\n").shared_with(&train), 0);
        let pairs = |second: &str| set(&format!("text,text_b,label\nlunch at noon,{second},a\n"));
        assert_eq!((pairs("no").shared_with(&train), pairs("no").shared_with(&pairs("no"))), (0, 1));
        assert_eq!(pairs("yes").shared_with(&pairs("no")), 0);
    }
}
