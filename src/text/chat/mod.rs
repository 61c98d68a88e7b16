//! Conversations and chat templates: Jinja templates as in Hugging Face's `apply_chat_template`.

mod conversation;
mod date;
mod engine;
mod json;
mod python;
mod source;
mod value;

use std::collections::BTreeMap;
use std::fmt;

use minijinja::value::ValueKind;
use minijinja::{Environment, Value};
use serde_json::Value as Json;

use self::conversation::WEIGHT;
pub use self::conversation::{Conversation, Message, Variables};
use self::engine::Raised;
pub(crate) use self::value::parse;
use crate::error::{Error, Result, bail, err};
use crate::text::python_json;
use crate::text::tokenizer_files::special_tokens;

/// Maximum number of bytes outside quotes in one tag of a template; real tags have a few hundred.
/// The engine parses expressions recursively, and a very long one would exhaust the stack.
const MAX_TAG_BYTES: usize = 1500;

/// The name of the template that is used.
const CHAT: &str = "default";
/// The name of the template that some models have for conversations with tools.
const TOOL_USE: &str = "tool_use";

/// A model's chat template.
///
/// It is rendered as in Hugging Face's `apply_chat_template`, with one difference: the date is
/// always 26 July 2024, so that a run that is resumed on another day trains on the same text.
/// (Llama 3's templates use that date if there is no clock.)
#[derive(Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// The template's file, for messages.
    name: String,
    /// The texts of the templates, which show what they read.
    source: String,
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
    /// `model-unsupported`, with the line, if the text is not a template that can be run.
    pub fn new(name: &str, source: &str, tokens: Vec<(String, String)>) -> Result<ChatTemplate> {
        let environment = engine::environment().map_err(|e| err!(ModelUnsupported, "{name}: {e}"))?;
        let template = ChatTemplate { environment, name: name.to_owned(), source: String::new(), tokens };
        template.with(CHAT, source)
    }

    /// Adds a template under a name.
    fn with(mut self, name: &'static str, source: &str) -> Result<ChatTemplate> {
        let longest = source::longest_tag(source);
        if longest > MAX_TAG_BYTES {
            bail!(
                ModelUnsupported,
                "{}: expected tags of at most {MAX_TAG_BYTES} bytes outside of quotes, found {longest}",
                self.name
            );
        }
        if source.contains("\\N{") {
            bail!(ModelUnsupported, "{}: expected no named characters, found \\N{{", self.name);
        }
        let source = source::prepared(source);
        self.source.push_str(&source);
        match self.environment.add_template_owned(name, source) {
            Ok(()) => Ok(self),
            Err(error) => bail!(
                ModelUnsupported,
                "{}: expected a chat template, found: {}",
                place(&self.name, &error),
                reason(&error)
            ),
        }
    }

    /// The template of a Hugging Face directory, if it has one: `chat_template.jinja`, or otherwise `chat_template` in
    /// `tokenizer_config.json`, which is a text or a list of named texts. Of these, `default` is used, or `tool_use` if a row has
    /// tools. `files` has the contents of the directory's small files.
    ///
    /// # Errors
    /// `file-corrupt` if a file does not follow its format; the errors of [`ChatTemplate::new`].
    pub fn from_files(files: &BTreeMap<String, Vec<u8>>) -> Result<Option<ChatTemplate>> {
        const CONFIG: &str = "tokenizer_config.json";
        const JINJA: &str = "chat_template.jinja";
        let config = match files.get(CONFIG) {
            Some(bytes) => python_json::parse(bytes).map_err(|e| err!(FileCorrupt, "{CONFIG}: {e}"))?,
            None => Json::Null,
        };
        let found = match (files.get(JINJA), config.get("chat_template")) {
            (Some(bytes), _) => {
                let source = std::str::from_utf8(bytes)
                    .map_err(|e| err!(FileCorrupt, "{JINJA}: expected UTF-8: {e}"))?;
                Some((JINJA, source, None))
            }
            (None, None | Some(Json::Null)) => return Ok(None),
            (None, Some(Json::String(source))) => Some((CONFIG, source.as_str(), None)),
            (None, Some(Json::Array(named))) => {
                let of = |name: &str| {
                    let template = named.iter().find(|t| t.get("name").and_then(Json::as_str) == Some(name));
                    template.and_then(|t| t.get("template")?.as_str())
                };
                of(CHAT).map(|source| (CONFIG, source, of(TOOL_USE)))
            }
            (None, Some(_)) => None,
        };
        let Some((name, source, with_tools)) = found else {
            bail!(
                FileCorrupt,
                "{CONFIG}: `chat_template`: expected a string, or a list with a template named default"
            );
        };
        let template = ChatTemplate::new(name, source, special_tokens(files)?)?;
        match with_tools {
            Some(source) => template.with(TOOL_USE, source).map(Some),
            None => Ok(Some(template)),
        }
    }

    /// Renders messages as the model's input, with the variables of their row. With `add_generation_prompt`, the result ends where
    /// the model's answer begins.
    ///
    /// # Errors
    /// `data-invalid`, with the template's own message, if the template rejects the conversation, or if it prints a list of parts
    /// directly; `model-unsupported`, with the line, if the template cannot be run.
    pub fn render(
        &self,
        messages: &[Message],
        variables: &Variables,
        add_generation_prompt: bool,
    ) -> Result<String> {
        let tokens = self.tokens.iter().map(|(name, token)| (name.as_str(), Value::from(token.as_str())));
        // Hugging Face passes None if there are no tools or documents.
        let absent = [("tools", Value::from(())), ("documents", Value::from(()))];
        let given = variables.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let values = Value::from_pairs(tokens.chain(absent).chain(given).chain([
            ("messages", messages.iter().map(Message::for_template).collect::<Vec<_>>().into()),
            ("add_generation_prompt", add_generation_prompt.into()),
        ]));
        let has_tools = variables.contains_key("tools");
        let template = self.environment.get_template(TOOL_USE).ok().filter(|_| has_tools);
        let rendered = match template {
            Some(template) => template.render(values),
            None => self.environment.get_template(CHAT).and_then(|template| template.render(values)),
        };
        let text = rendered.map_err(|error| self.fault(&error))?;
        for (at, message) in (1..).zip(messages) {
            let parts = message.get("content").filter(|content| content.kind() == ValueKind::Seq);
            if parts.is_some_and(|parts| parts.is_true() && text.contains(&parts.to_string())) {
                bail!(
                    DataInvalid,
                    "message {at}, `content`: expected a string, because the chat template of {} does not read parts, found \
                     an array",
                    self.name
                );
            }
        }
        Ok(text)
    }

    /// The fields of the messages and the variables of a row that neither a template mentions nor the training reads.
    pub fn unread(&self, conversation: &Conversation) -> Vec<String> {
        let fields = conversation.messages.iter().flat_map(Message::fields);
        let names = fields.chain(conversation.variables.keys().cloned());
        let mut unread: Vec<String> =
            names.filter(|name| !source::mentions(&self.source, name) && name != WEIGHT).collect();
        unread.sort();
        unread.dedup();
        unread
    }

    fn fault(&self, error: &minijinja::Error) -> Error {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(cause) = source {
            if cause.is::<Raised>() {
                return err!(
                    DataInvalid,
                    "the chat template of {} rejects the conversation: {}",
                    self.name,
                    error.detail().unwrap_or_default()
                );
            }
            source = cause.source();
        }
        err!(
            ModelUnsupported,
            "{}: the chat template cannot be run: {}",
            place(&self.name, error),
            reason(error)
        )
    }
}

/// The file and the line of an error in a template.
fn place(name: &str, error: &minijinja::Error) -> String {
    match error.line() {
        Some(line) => format!("{name}, line {line}"),
        None => name.to_owned(),
    }
}

/// The cause of an error in a template.
fn reason(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()))
}

#[cfg(test)]
mod tests;
