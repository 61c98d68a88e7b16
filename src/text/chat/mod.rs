//! Conversations and chat templates: Jinja templates as in Hugging Face's `apply_chat_template`.

mod json;

use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Value};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde::Serialize;

use crate::error::{Result, bail, err};

/// Maximum number of steps of the template engine per rendering, far more than a conversation that
/// fits a model needs.
const FUEL: u64 = 20_000_000;

/// Maximum number of bytes outside quotes in one tag of a template; real tags have a few hundred.
/// The engine parses expressions recursively, and a very long one would exhaust the stack.
const MAX_TAG_BYTES: usize = 1500;

/// The special tokens that a template may refer to.
const TOKENS: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `system`, `user`, `assistant`, or another role that the template knows.
    pub role: String,
    /// The text of the turn.
    pub content: String,
}

impl Message {
    /// Whether the turn is the model's.
    pub fn is_answer(&self) -> bool {
        self.role == "assistant"
    }
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conversation {
    /// The turns in order.
    pub messages: Vec<Message>,
    /// The number of the row, as in [`crate::text::rows::Classified::row`].
    #[serde(skip)]
    pub row: usize,
}

/// A model's chat template.
///
/// It is rendered as in Hugging Face's `apply_chat_template`, with two differences. There are no
/// tools, and the date is always 26 July 2024, so that a run that is resumed on another day trains
/// on the same text. (Llama 3's templates use that date if there is no clock.)
#[derive(Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// The template's file, for messages.
    name: String,
    tokens: Vec<(String, String)>,
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTemplate")
            .field("name", &self.name)
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

impl ChatTemplate {
    /// Compiles a template from its text. `tokens` are the special tokens that it may refer to,
    /// such as `bos_token`. `name` is the name of the file, for messages.
    ///
    /// # Errors
    /// `model-unsupported` if the text is not a template that can be run.
    pub fn new(name: &str, source: &str, tokens: Vec<(String, String)>) -> Result<ChatTemplate> {
        let longest = longest_tag(source);
        if longest > MAX_TAG_BYTES {
            bail!(
                ModelUnsupported,
                "{name}: expected tags of at most {MAX_TAG_BYTES} bytes outside of quotes, found {longest}"
            );
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|e| err!(ModelUnsupported, "{name}: {e}"))?);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(|state, value, method, args| match method {
            // A format with a width could pad to any length, because fuel does not limit it.
            "format" if value.as_str().is_none_or(has_format) => Err(ErrorKind::UnknownMethod.into()),
            _ => unknown_method_callback(state, value, method, args),
        });
        environment.add_filter("tojson", json::tojson);
        environment.add_function("raise_exception", |message: String| -> std::result::Result<Value, _> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        // In Python, None is not iterable. Templates test this for the tools.
        environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
        environment.add_function("strftime_now", |format: String| on_the_day(&format));
        environment
            .add_template_owned("chat", without_generation_tags(source))
            .map_err(|e| err!(ModelUnsupported, "{name}: expected a chat template, found: {e}"))?;
        Ok(ChatTemplate { environment, name: name.to_owned(), tokens })
    }

    /// The template of a Hugging Face directory, if it has one. It is `chat_template.jinja`, or
    /// otherwise `chat_template` of `tokenizer_config.json`, which is a text or a list of named
    /// texts, of which `default` is used.
    ///
    /// # Errors
    /// `file-corrupt` if a file does not follow its format; the errors of [`ChatTemplate::new`].
    pub fn from_files(jinja: Option<&[u8]>, config: Option<&[u8]>) -> Result<Option<ChatTemplate>> {
        const CONFIG: &str = "tokenizer_config.json";
        const JINJA: &str = "chat_template.jinja";
        let config: serde_json::Value = match config {
            Some(bytes) => serde_json::from_slice(bytes).map_err(|e| err!(FileCorrupt, "{CONFIG}: {e}"))?,
            None => serde_json::Value::Null,
        };
        let token = |key: &&str| {
            let value = config.get(*key)?;
            let text = value.as_str().or_else(|| value.get("content")?.as_str())?;
            Some(((*key).to_owned(), text.to_owned()))
        };
        let tokens: Vec<_> = TOKENS.iter().filter_map(token).collect();
        if let Some(bytes) = jinja {
            let source =
                std::str::from_utf8(bytes).map_err(|e| err!(FileCorrupt, "{JINJA}: expected UTF-8: {e}"))?;
            return ChatTemplate::new(JINJA, source, tokens).map(Some);
        }
        let source = match config.get("chat_template") {
            None | Some(serde_json::Value::Null) => return Ok(None),
            Some(serde_json::Value::String(source)) => Some(source.as_str()),
            Some(serde_json::Value::Array(named)) => named
                .iter()
                .find(|t| t.get("name").and_then(serde_json::Value::as_str) == Some("default"))
                .and_then(|t| t.get("template")?.as_str()),
            Some(_) => None,
        };
        let Some(source) = source else {
            bail!(
                FileCorrupt,
                "{CONFIG}: `chat_template`: expected a text, or a list with one named default"
            );
        };
        ChatTemplate::new(CONFIG, source, tokens).map(Some)
    }

    /// Renders the conversation as the model's input. With `add_generation_prompt` it ends where
    /// the model's answer begins.
    ///
    /// # Errors
    /// `data-invalid`, with the template's own message, if the template rejects the conversation;
    /// `model-unsupported` if the template cannot be run.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        let message =
            |m: &Message| Value::from_pairs([("role", m.role.as_str()), ("content", m.content.as_str())]);
        let tokens = self.tokens.iter().map(|(name, token)| (name.as_str(), Value::from(token.as_str())));
        let values = Value::from_pairs(tokens.chain([
            ("messages", messages.iter().map(message).collect::<Vec<_>>().into()),
            ("add_generation_prompt", add_generation_prompt.into()),
            // Hugging Face passes None if there are no tools or documents.
            ("tools", ().into()),
            ("documents", ().into()),
        ]));
        let rendered = self.environment.get_template("chat").and_then(|template| template.render(values));
        rendered.map_err(|error| match error.kind() {
            ErrorKind::InvalidOperation | ErrorKind::UndefinedError => {
                let says = error.detail().unwrap_or("it expects a conversation of another form");
                err!(DataInvalid, "the chat template of {} rejects the conversation: {says}", self.name)
            }
            _ => err!(ModelUnsupported, "the chat template of {} cannot be run: {error}", self.name),
        })
    }
}

/// Whether Python's `str.format` would do more than insert values.
fn has_format(text: &str) -> bool {
    text.split('{').skip(1).any(|field| field.split('}').next().is_some_and(|inner| inner.contains(':')))
}

/// The maximum number of bytes outside quotes in any tag.
fn longest_tag(source: &str) -> usize {
    let (mut longest, mut own) = (0, 0);
    let (mut tag, mut quote, mut brackets) = (false, None, 0_usize);
    let mut bytes = source.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let pair = (byte, bytes.peek().copied().unwrap_or_default());
        match (tag, quote) {
            (false, _) => {
                if matches!(pair, (b'{', b'{' | b'%')) {
                    bytes.next();
                    (tag, own, brackets) = (true, 0, 0);
                }
            }
            (true, Some(end)) => {
                if byte == b'\\' {
                    bytes.next();
                } else if byte == end {
                    quote = None;
                }
            }
            (true, None) => {
                own += 1;
                longest = longest.max(own);
                match pair {
                    (b'\'' | b'"', _) => quote = Some(byte),
                    (b'(' | b'[' | b'{', _) => brackets += 1,
                    (b')' | b']' | b'}', _) if brackets > 0 => brackets -= 1,
                    (b'}', b'}') | (b'%', b'}') => tag = false,
                    _ => {}
                }
            }
        }
    }
    longest
}

/// The date of [`ChatTemplate`], at midnight, in strftime's format.
fn on_the_day(format: &str) -> String {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match (c, (c == '%').then(|| chars.next()).flatten()) {
            ('%', Some('Y')) => out.push_str("2024"),
            ('%', Some('y')) => out.push_str("24"),
            ('%', Some('m')) => out.push_str("07"),
            ('%', Some('d')) => out.push_str("26"),
            ('%', Some('B')) => out.push_str("July"),
            ('%', Some('b')) => out.push_str("Jul"),
            ('%', Some('A')) => out.push_str("Friday"),
            ('%', Some('a')) => out.push_str("Fri"),
            ('%', Some('H' | 'M' | 'S')) => out.push_str("00"),
            ('%', Some(other)) => out.push(other),
            _ => out.push(c),
        }
    }
    out
}

/// Replaces the tags `generation` and `endgeneration`, which Hugging Face uses to mark an answer,
/// by tags that have no effect.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let (tag, after) = tag.split_at(end + 2);
        let inner = tag[2..end].trim_matches(['-', '+']).trim();
        match inner {
            "generation" => out.push_str(&tag.replacen("generation", "if true", 1)),
            "endgeneration" => out.push_str(&tag.replacen("endgeneration", "endif", 1)),
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}
