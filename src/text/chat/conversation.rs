//! Conversations as they appear in rows: messages with all of their fields, and the variables of a row.

use std::collections::BTreeMap;

use minijinja::Value;
use minijinja::value::ValueKind;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::value::parse;
use crate::error::{Error, Result, bail, err};

/// The variables that a row gives to the chat template besides the messages, such as `tools`.
pub type Variables = BTreeMap<String, Value>;

/// The types of parts that a language model cannot read.
const MEDIA: [&str; 8] =
    ["image", "image_url", "input_image", "audio", "input_audio", "audio_url", "video", "video_url"];

/// Variables that determine how to render, not what; they are set by the training.
const DECIDED: [&str; 5] =
    ["messages", "add_generation_prompt", "continue_final_message", "tokenize", "chat_template"];

/// The field that says whether an answer is trained on: 1, or 0 if it is only read.
pub(super) const WEIGHT: &str = "weight";

/// One turn of a conversation: an object with a `role` and any other fields, all of which the
/// template may read. As in Hugging Face, a field that is null counts as absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "Value")]
pub struct Message(Value);

impl Message {
    /// Creates a turn with a role and a text.
    pub fn new(role: &str, content: &str) -> Message {
        Message(Value::from_pairs([("role", role), ("content", content)]))
    }

    /// `system`, `user`, `assistant`, `tool`, or another role that the template supports.
    pub fn role(&self) -> String {
        self.get("role").and_then(|role| role.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Whether the turn belongs to the model.
    pub fn is_answer(&self) -> bool {
        self.get("role").is_some_and(|role| role.as_str() == Some("assistant"))
    }

    /// Whether the turn belongs to the model and is trained on. In OpenAI's layout, an answer with the `weight` 0 is only read.
    pub(crate) fn is_learned(&self) -> bool {
        self.is_answer() && self.get(WEIGHT).and_then(number) != Some(0.0)
    }

    /// A field's value, if the turn has it.
    pub(crate) fn get(&self, field: &str) -> Option<Value> {
        self.0.get_attr(field).ok().filter(|value| !value.is_undefined())
    }

    /// The names of the fields, in their order.
    pub(crate) fn fields(&self) -> Vec<String> {
        self.0.try_iter().into_iter().flatten().map(|key| key.to_string()).collect()
    }

    /// Passes the content to `field`, to compute a fingerprint.
    pub(crate) fn hash(&self, field: &mut impl FnMut(Option<&str>)) {
        field(Some(&self.role()));
        let content = self.get("content");
        let text = content.as_ref().and_then(Value::as_str);
        field(Some(text.unwrap_or_default()));
        if text.is_none() || self.fields().len() > 2 {
            field(Some("\0fields"));
            field(Some(&json(&self.0)));
        }
    }

    /// The turn as the template sees it. As in Hugging Face, the reasoning is available under all of its names.
    pub(super) fn for_template(&self) -> Value {
        let reasoning = ["reasoning_content", "thinking", "reasoning"].iter().find_map(|name| self.get(name));
        let Some(reasoning) = reasoning else { return self.0.clone() };
        let mut fields: Vec<(String, Value)> = vec![("thinking".to_owned(), reasoning.clone())];
        let own = self.fields().into_iter().filter_map(|name| Some((name.clone(), self.get(&name)?)));
        for (name, value) in own.chain([("reasoning_content".to_owned(), reasoning)]) {
            match fields.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = value,
                None => fields.push((name, value)),
            }
        }
        Value::from_pairs(fields)
    }
}

impl TryFrom<Value> for Message {
    type Error = Error;

    fn try_from(value: Value) -> Result<Message> {
        if value.kind() != ValueKind::Map {
            bail!(DataInvalid, ", `role`: expected an object with a role, found {}", describe(&value));
        }
        let mut fields = Vec::new();
        for key in value.try_iter().into_iter().flatten() {
            if let Ok(field) = value.get_item(&key)
                && !field.is_none()
            {
                fields.push((key.to_string(), field));
            }
        }
        let message = Message(Value::from_pairs(fields));
        match message.get("role") {
            Some(role) if role.as_str().is_some_and(|role| !role.is_empty()) => {}
            other => bail!(DataInvalid, ", `role`: expected a string, found {}", found(other.as_ref())),
        }
        if let Some(weight) = message.get(WEIGHT).filter(|_| message.is_answer())
            && !number(weight.clone()).is_some_and(|weight| weight == 0.0 || weight == 1.0)
        {
            bail!(DataInvalid, ", `weight`: expected 0 or 1, found {}", describe(&weight));
        }
        match message.get("content") {
            None if message.fields().len() < 2 => {
                bail!(DataInvalid, ", `content`: expected a string, found none")
            }
            Some(content) if content.kind() == ValueKind::Seq => {
                let kind = |part: &Value| part.get_attr("type").ok()?.as_str().map(str::to_owned);
                let media = content.try_iter().into_iter().flatten().filter_map(|part| kind(&part));
                if let Some(kind) = media.into_iter().find(|kind| MEDIA.contains(&kind.as_str())) {
                    bail!(
                        DataInvalid,
                        ", `content`: expected parts of text, because the model reads only text, found one of type \
                         {kind:?}"
                    );
                }
            }
            _ => {}
        }
        Ok(message)
    }
}

impl From<Message> for Value {
    fn from(message: Message) -> Value {
        message.0
    }
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Conversation {
    /// The turns in order.
    pub messages: Vec<Message>,
    /// The number of leading messages that are only read: no turn among them is trained on.
    pub prompt: usize,
    /// The other variables that the row passes to the template.
    pub variables: Variables,
    /// The number of the row, as in [`crate::text::rows::Classified::row`].
    pub row: usize,
}

impl Conversation {
    /// Reads JSON: an array of messages, or an object with `messages` and variables for the
    /// template.
    ///
    /// # Errors
    /// `data-invalid` naming the field that cannot be used.
    pub fn from_json(text: &str) -> Result<Conversation> {
        let value = parse(text).map_err(|e| err!(DataInvalid, "messages: expected JSON, found: {e}"))?;
        match value.kind() {
            ValueKind::Seq => Ok(Conversation { messages: turns(&value)?, ..Conversation::default() }),
            _ => Conversation::of_row(&value, "messages"),
        }
    }

    /// Reads a row whose messages are in the field `turns`.
    pub(crate) fn of_row(row: &Value, turns: &str) -> Result<Conversation> {
        let mut messages = self::turns(&attr(row, turns)?)?;
        let mut variables = variables(row, &[turns])?;
        // In ShareGPT's layout, the system message is in a separate column.
        if turns != "messages"
            && messages.first().is_none_or(|first| first.role() != "system")
            && let Some(system) = variables.remove("system")
            && let Some(text) = system.as_str().filter(|text| !text.trim().is_empty())
        {
            messages.insert(0, Message::new("system", text));
        }
        Ok(Conversation { messages, variables, ..Conversation::default() })
    }

    /// Reads a row with messages as prompt and as completion. Only the completion is trained on.
    pub(crate) fn of_pair(row: &Value, prompt: &str, completion: &str) -> Result<Conversation> {
        let mut messages = turns(&attr(row, prompt)?)?;
        let read = messages.len();
        messages.extend(turns(&attr(row, completion)?)?);
        let variables = variables(row, &[prompt, completion])?;
        Ok(Conversation { messages, prompt: read, variables, row: 0 })
    }

    /// Passes the variables to `field`, to compute a fingerprint.
    pub(crate) fn hash(&self, field: &mut impl FnMut(Option<&str>)) {
        if self.prompt > 0 {
            field(Some("\0prompt"));
            field(Some(&self.prompt.to_string()));
        }
        for (name, value) in &self.variables {
            field(Some("\0variable"));
            field(Some(name));
            field(Some(&json(value)));
        }
    }

    /// Checks that there is a turn to train on.
    ///
    /// # Errors
    /// `data-invalid` if no message is the assistant's.
    pub(crate) fn has_answer(self) -> Result<Conversation> {
        if !self.messages.iter().skip(self.prompt).any(Message::is_answer) {
            bail!(
                DataInvalid,
                "expected a message whose role is assistant to learn from, found none among {}",
                self.messages.len() - self.prompt
            );
        }
        if !self.messages.iter().skip(self.prompt).any(Message::is_learned) {
            bail!(DataInvalid, "expected an answer to learn from, found only answers whose `weight` is 0");
        }
        Ok(self)
    }
}

impl Serialize for Conversation {
    /// The object that `Conversation::of_row` or `Conversation::of_pair` reads.
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let (prompt, completion) = self.messages.split_at(self.prompt.min(self.messages.len()));
        if self.prompt == 0 {
            map.serialize_entry("messages", completion)?;
        } else {
            map.serialize_entry("prompt", prompt)?;
            map.serialize_entry("completion", completion)?;
        }
        for (name, value) in &self.variables {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Serializes a value as JSON, preserving the order of object fields.
fn json(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn attr(row: &Value, name: &str) -> Result<Value> {
    row.get_attr(name).map_err(|e| err!(DataInvalid, "expected an object, found: {e}"))
}

/// The variables in a row: its fields except those in `taken`, and those in `chat_template_kwargs`.
fn variables(row: &Value, taken: &[&str]) -> Result<Variables> {
    const KWARGS: &str = "chat_template_kwargs";
    let mut variables = Variables::new();
    let kwargs = attr(row, KWARGS)?;
    let own = row.try_iter().into_iter().flatten().map(|key| (key, row));
    let of_kwargs = kwargs.try_iter().into_iter().flatten().map(|key| (key, &kwargs));
    for (key, source) in own.chain(of_kwargs) {
        let (name, value) = (key.to_string(), source.get_item(&key).unwrap_or_default());
        if taken.contains(&name.as_str()) || name == KWARGS {
            continue;
        }
        if DECIDED.contains(&name.as_str()) {
            if value.is_true() {
                bail!(DataInvalid, ", `{name}`: expected none, because training sets it, found one");
            }
            continue;
        }
        let value = match name.as_str() {
            "tools" | "documents" => match objects(&name, &value)? {
                Some(list) => list,
                None => continue,
            },
            _ => value,
        };
        variables.insert(name, value);
    }
    Ok(variables)
}

/// A list of objects, which may be written as JSON; `None` for null.
fn objects(name: &str, value: &Value) -> Result<Option<Value>> {
    let value = match value.as_str() {
        Some(text) if text.trim().is_empty() => return Ok(None),
        Some(text) => parse(text)
            .map_err(|e| err!(DataInvalid, ", `{name}`: expected a list of objects, found a string: {e}"))?,
        None if value.is_none() => return Ok(None),
        None => value.clone(),
    };
    let is_object = |item: Value| item.kind() == ValueKind::Map;
    match value.kind() == ValueKind::Seq && value.try_iter().into_iter().flatten().all(is_object) {
        true => Ok(Some(value)),
        false => bail!(DataInvalid, ", `{name}`: expected a list of objects, found {}", describe(&value)),
    }
}

/// The messages of a list, in the form of `messages` or of ShareGPT's `conversations`.
fn turns(list: &Value) -> Result<Vec<Message>> {
    if list.kind() != ValueKind::Seq {
        bail!(DataInvalid, "expected an array of messages, found {}", found(Some(list)));
    }
    let items = list.try_iter().map_err(|e| err!(DataInvalid, "expected an array of messages: {e}"))?;
    let turn = |(at, item): (usize, Value)| {
        let message = shared(&item).and_then(|shared| Message::try_from(shared.unwrap_or(item)));
        message.map_err(|e| err!(DataInvalid, ", message {at}{}", e.message()))
    };
    (1..).zip(items).map(turn).collect()
}

/// Converts a ShareGPT message, `{from, value}`, to the field names of `messages`; `None` for other messages.
fn shared(item: &Value) -> Result<Option<Value>> {
    if item.kind() != ValueKind::Map {
        return Ok(None);
    }
    let (from, value) = (attr(item, "from")?, attr(item, "value")?);
    let Some(speaker) = from.as_str().filter(|_| attr(item, "role").is_ok_and(|role| role.is_undefined()))
    else {
        return Ok(None);
    };
    let role = match speaker.to_ascii_lowercase().as_str() {
        "system" => "system",
        "human" | "user" => "user",
        "gpt" | "assistant" | "model" | "bot" | "chatgpt" | "bing" | "bard" | "claude" => "assistant",
        "tool" | "observation" | "function" | "function_response" | "ipython" => "tool",
        "function_call" | "tool_call" => return called(&value).map(Some),
        _ => bail!(
            DataInvalid,
            ", `from`: expected system, human, gpt, tool, observation or function_call, found {speaker:?}"
        ),
    };
    let mut fields = vec![("role".to_owned(), Value::from(role)), ("content".to_owned(), value)];
    for key in item.try_iter().into_iter().flatten().map(|key| key.to_string()) {
        if key != "from" && key != "value" {
            fields.push((key.clone(), attr(item, &key)?));
        }
    }
    Ok(Some(Value::from_pairs(fields)))
}

/// The message for a tool call, which ShareGPT's layout encodes as JSON.
fn called(value: &Value) -> Result<Value> {
    let calls: Option<Value> = value.as_str().and_then(|text| parse(text).ok());
    let calls = match calls {
        Some(call) if call.kind() == ValueKind::Map => vec![call],
        Some(calls) if calls.kind() == ValueKind::Seq => calls.try_iter().into_iter().flatten().collect(),
        _ => bail!(DataInvalid, ", `value`: expected a call as JSON, found {}", found(Some(value))),
    };
    let wrapped = |call: Value| Value::from_pairs([("type", Value::from("function")), ("function", call)]);
    let calls: Vec<Value> = calls.into_iter().map(wrapped).collect();
    Ok(Value::from_pairs([("role", Value::from("assistant")), ("tool_calls", Value::from(calls))]))
}

/// The value as a number, if it is one.
fn number(value: Value) -> Option<f64> {
    if value.kind() == ValueKind::Number { f64::try_from(value).ok() } else { None }
}

fn found(value: Option<&Value>) -> String {
    value.filter(|value| !value.is_undefined()).map_or_else(|| "none".to_owned(), describe)
}

/// Describes a value in words, for error messages.
fn describe(value: &Value) -> String {
    match value.kind() {
        ValueKind::Undefined => "none".to_owned(),
        ValueKind::None => "null".to_owned(),
        ValueKind::Bool => if value.is_true() { "true" } else { "false" }.to_owned(),
        ValueKind::Number => format!("the number {value}"),
        ValueKind::String => "a string".to_owned(),
        ValueKind::Map => "an object".to_owned(),
        _ => "an array".to_owned(),
    }
}
