//! `config.json` as a checked view: every field is read by name and type.

use serde_json::{Map, Value};

use crate::error::{Error, Result, bail, err};
use crate::text::python_json;

/// A model's configuration, with Hugging Face's keys. A field that is `null` counts as absent.
///
/// Every getter rejects a field of the wrong type with `model-unsupported`. The message names the file and the field, and says what
/// was expected and what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    name: String,
    fields: Map<String, Value>,
    aliases: Aliases,
}

/// Pairs of a field's name and an alternative name used in some configurations.
pub type Aliases = &'static [(&'static str, &'static str)];

impl Config {
    /// Parses a JSON object. `name` is the name of the file, for messages.
    ///
    /// # Errors
    /// `file-corrupt` if the bytes are not a JSON object.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        match python_json::parse(bytes) {
            Ok(Value::Object(fields)) => Ok(Config::from_fields(name, fields)),
            Ok(other) => bail!(FileCorrupt, "{name}: expected a JSON object, found {}", show(&other)),
            Err(error) => bail!(FileCorrupt, "{name}: not valid JSON: {error}"),
        }
    }

    /// A configuration from fields of another source, such as a GGUF header.
    pub fn from_fields(name: &str, fields: Map<String, Value>) -> Self {
        Config { name: name.to_owned(), fields, aliases: &[] }
    }

    /// The same configuration, in which a field that is absent is looked up under its alternative names, in order.
    pub fn with_aliases(&self, aliases: Aliases) -> Self {
        Config { aliases, ..self.clone() }
    }

    /// All fields, under the names in the file.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// The name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the field exists and is not null.
    pub fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Whether the field exists and is null. transformers uses its default only for a field that does not exist.
    pub fn is_null(&self, key: &str) -> bool {
        self.fields.get(key).is_some_and(Value::is_null)
    }

    /// The value of the field, as JSON.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.find(key).map(|(_, value)| value)
    }

    /// The field's value, and the name that it was found under.
    fn find(&self, key: &str) -> Option<(&str, &Value)> {
        let found = |key| self.fields.get_key_value(key).filter(|(_, value)| !value.is_null());
        let others = self.aliases.iter().filter(|(name, _)| *name == key).map(|(_, other)| *other);
        let (name, value) = std::iter::once(key).chain(others).find_map(found)?;
        Some((name.as_str(), value))
    }

    /// A number from 0 to 2^32 - 1, if the field exists.
    pub fn opt_u32(&self, key: &str) -> Result<Option<u32>> {
        self.opt(key, "an integer from 0 to 4294967295", as_u32)
    }

    /// A number from 0 to 2^32 - 1.
    pub fn u32(&self, key: &str) -> Result<u32> {
        self.opt_u32(key)?.ok_or_else(|| self.missing(key, "an integer"))
    }

    /// A number from 0 to 2^32 - 1, or `default` if the field is absent.
    pub fn u32_or(&self, key: &str, default: u32) -> Result<u32> {
        Ok(self.opt_u32(key)?.unwrap_or(default))
    }

    /// One number or a list of them, such as `eos_token_id`; empty if the field is absent.
    pub fn u32_list(&self, key: &str) -> Result<Vec<u32>> {
        let list = self.opt(key, "an integer or a list of integers", |value| match value {
            Value::Array(items) => items.iter().map(as_u32).collect(),
            one => as_u32(one).map(|n| vec![n]),
        })?;
        Ok(list.unwrap_or_default())
    }

    /// A number that is finite in f32, if the field exists.
    pub fn opt_f32(&self, key: &str) -> Result<Option<f32>> {
        self.opt(key, "a finite number", as_f32)
    }

    /// A number that is finite in f32.
    pub fn f32(&self, key: &str) -> Result<f32> {
        self.opt_f32(key)?.ok_or_else(|| self.missing(key, "a number"))
    }

    /// A number that is finite in f32, or `default` if the field is absent.
    pub fn f32_or(&self, key: &str, default: f32) -> Result<f32> {
        Ok(self.opt_f32(key)?.unwrap_or(default))
    }

    /// A list of numbers that are finite in f32; empty if the field is absent.
    pub fn f32_list(&self, key: &str) -> Result<Vec<f32>> {
        let list = self.opt(key, "a list of finite numbers", |value| {
            value.as_array().and_then(|items| items.iter().map(as_f32).collect())
        })?;
        Ok(list.unwrap_or_default())
    }

    /// True or false, if the field exists.
    pub fn opt_bool(&self, key: &str) -> Result<Option<bool>> {
        self.opt(key, "true or false", Value::as_bool)
    }

    /// True or false.
    pub fn bool(&self, key: &str) -> Result<bool> {
        self.opt_bool(key)?.ok_or_else(|| self.missing(key, "true or false"))
    }

    /// True or false, or `default` if the field is absent.
    pub fn bool_or(&self, key: &str, default: bool) -> Result<bool> {
        Ok(self.opt_bool(key)?.unwrap_or(default))
    }

    /// A string, if the field exists.
    pub fn opt_str(&self, key: &str) -> Result<Option<&str>> {
        self.opt(key, "a string", Value::as_str)
    }

    /// A string.
    pub fn str(&self, key: &str) -> Result<&str> {
        self.opt_str(key)?.ok_or_else(|| self.missing(key, "a string"))
    }

    /// A string, or `default` if the field is absent.
    pub fn str_or<'a>(&'a self, key: &str, default: &'a str) -> Result<&'a str> {
        Ok(self.opt_str(key)?.unwrap_or(default))
    }

    /// A list of strings, such as `architectures`; empty if the field is absent.
    pub fn str_list(&self, key: &str) -> Result<Vec<&str>> {
        let list = self.opt(key, "a list of strings", |value| {
            value.as_array().and_then(|items| items.iter().map(Value::as_str).collect())
        })?;
        Ok(list.unwrap_or_default())
    }

    /// A nested object, such as `rope_scaling`, as a separate view, if the field exists.
    pub fn opt_object(&self, key: &str) -> Result<Option<Config>> {
        let fields = self.opt(key, "an object", Value::as_object)?;
        let name = format!("{}: `{key}`", self.name);
        Ok(fields.map(|fields| Config::from_fields(&name, fields.clone())))
    }

    fn opt<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some((name, value)) = self.find(key) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => {
                bail!(ModelUnsupported, "{}: `{name}`: expected {expected}, found {}", self.name, show(value))
            }
        }
    }

    fn missing(&self, key: &str, expected: &str) -> Error {
        let others = self.aliases.iter().filter(|(name, _)| *name == key);
        let others: String = others.map(|(_, other)| format!(" or `{other}`")).collect();
        err!(ModelUnsupported, "{}: `{key}`{others}: expected {expected}, found nothing", self.name)
    }
}

fn as_u32(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|n| u32::try_from(n).ok())
}

fn as_f32(value: &Value) -> Option<f32> {
    value.as_f64().map(|x| x as f32).filter(|x| x.is_finite())
}

/// The value in a form that is short enough for a message.
fn show(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("__float__") => {
            fields["__float__"].as_str().unwrap_or_default().to_owned()
        }
        Value::Object(fields) => format!("an object of {} fields", fields.len()),
        Value::String(text) if text.chars().count() > 40 => {
            format!("\"{}...\"", text.chars().take(40).collect::<String>())
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn config(json: &str) -> Config {
        Config::parse("config.json", json.as_bytes()).unwrap()
    }

    #[test]
    fn fields_are_read_by_type() {
        let config = config(
            r#"{"n":7,"x":1e-5,"i":2,"b":true,"s":"gelu","gone":null,"eos":[1,2],"names":["A","B"],"rope":{"factor":8}}"#,
        );
        assert_eq!(config.u32("n").unwrap(), 7);
        assert_eq!(config.u32_or("gone", 3).unwrap(), 3);
        assert_eq!(config.opt_u32("never").unwrap(), None);
        assert_eq!(config.f32("x").unwrap(), 1e-5);
        assert_eq!(config.f32("i").unwrap(), 2.0);
        assert_eq!(config.f32_or("gone", 0.5).unwrap(), 0.5);
        assert!(config.bool("b").unwrap() && config.bool_or("never", true).unwrap());
        assert_eq!(config.str("s").unwrap(), "gelu");
        assert_eq!(config.str_or("gone", "silu").unwrap(), "silu");
        assert_eq!(config.u32_list("eos").unwrap(), [1, 2]);
        assert_eq!(config.u32_list("n").unwrap(), [7]);
        assert!(config.u32_list("gone").unwrap().is_empty());
        assert_eq!(config.str_list("names").unwrap(), ["A", "B"]);
        assert!(config.has("n") && !config.has("gone") && !config.has("never"));
        let rope = config.opt_object("rope").unwrap().unwrap();
        assert_eq!(rope.f32("factor").unwrap(), 8.0);
        let error = rope.str("type").unwrap_err();
        assert!(error.message().contains("config.json: `rope`: `type`"), "{error}");
        assert!(config.opt_object("gone").unwrap().is_none());
    }

    #[test]
    fn a_field_may_have_other_names() {
        let config = config(r#"{"n_embd":7,"n_layer":"x","n_head":2,"heads":3,"n_inner":null}"#)
            .with_aliases(&[
                ("width", "n_embd"),
                ("layers", "n_layer"),
                ("heads", "n_head"),
                ("inner", "n_inner"),
                ("length", "n_positions"),
                ("length", "n_ctx"),
            ]);
        assert_eq!(config.u32("width").unwrap(), 7);
        assert_eq!(config.u32("heads").unwrap(), 3, "the name that is asked for comes first");
        assert!(!config.has("inner") && config.has("layers"));
        assert!(config.u32("layers").unwrap_err().message().contains("`n_layer`"));
        assert!(
            config.u32("length").unwrap_err().message().contains("`length` or `n_positions` or `n_ctx`"),
            "all names are said"
        );
    }

    #[test]
    fn wrong_fields_are_refused_by_name() {
        let config = config(
            r#"{"n":-1,"big":4294967296,"half":1.5,"s":3,"huge":1e39,"list":[1,-2],"deep":{},"unread":[0.0,Infinity,NaN],"base":-Infinity}"#,
        );
        let errors = [
            (config.u32("n").unwrap_err(), "`n`", "-1"),
            (config.u32("big").unwrap_err(), "`big`", "4294967296"),
            (config.u32("half").unwrap_err(), "`half`", "1.5"),
            (config.u32("missing").unwrap_err(), "`missing`", "nothing"),
            (config.str("s").map(str::to_owned).unwrap_err(), "`s`", "3"),
            (config.f32("huge").unwrap_err(), "`huge`", "1e+39"),
            (config.f32("base").unwrap_err(), "`base`", "-Infinity"),
            (config.f32_list("unread").unwrap_err(), "`unread`", "a list of 3"),
            (config.bool("s").unwrap_err(), "`s`", "true or false"),
            (config.u32_list("list").unwrap_err(), "`list`", "a list of 2"),
            (config.f32("deep").unwrap_err(), "`deep`", "an object of 0 fields"),
            (config.opt_object("s").map(|_| ()).unwrap_err(), "`s`", "an object"),
        ];
        for (error, field, found) in errors {
            assert_eq!(error.code(), Code::ModelUnsupported);
            for part in ["config.json", field, found] {
                assert!(error.message().contains(part), "{part:?} not in: {error}");
            }
        }
    }

    #[test]
    fn what_is_no_object_is_corrupt() {
        let deep = "[".repeat(100_000);
        let deep_field = format!("{{\"a\":{}", "{\"a\":".repeat(100_000));
        for bad in ["", "[]", "3", "{", "{\"a\":1e999}", "{}x", &deep, &deep_field] {
            let error = Config::parse("config.json", bad.as_bytes()).unwrap_err();
            assert_eq!(error.code(), Code::FileCorrupt);
            assert!(error.message().contains("config.json"), "{error}");
        }
        assert!(Config::parse("config.json", &[b'{', 0xff]).is_err());
    }
}
