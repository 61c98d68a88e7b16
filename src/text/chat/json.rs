//! The filter `tojson` as in Hugging Face: Python's `json.dumps(value, ensure_ascii=False)` with the given arguments.

use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Error, ErrorKind};

use super::python::float;

/// Maximum number of bytes of the result.
const MAX_BYTES: usize = 16 << 20;
/// Maximum nesting depth of objects and arrays.
const MAX_DEPTH: usize = 64;
/// Maximum indentation per level, in characters.
const MAX_INDENT: usize = 16;

/// `tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
pub(super) fn tojson(value: &Value, positional: Rest<Value>, options: Kwargs) -> Result<String, Error> {
    const NAMES: [&str; 4] = ["ensure_ascii", "indent", "separators", "sort_keys"];
    if positional.len() > NAMES.len() {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let mut given: [Option<Value>; 4] = [const { None }; 4];
    for ((slot, name), at) in given.iter_mut().zip(NAMES).zip(0..) {
        let keyword: Option<Value> = options.get(name)?;
        *slot = positional.get(at).cloned().or(keyword).filter(|value| !value.is_none());
    }
    options.assert_all_used()?;
    let [ensure_ascii, indent, separators, sort_keys] = given;
    let indent = indent.map(|indent| indentation(&indent)).transpose()?;
    let (between, after_key) = match separators {
        Some(pair) => {
            let pair: Vec<Value> = pair.try_iter()?.collect();
            match pair.iter().map(Value::as_str).collect::<Vec<_>>()[..] {
                [Some(between), Some(after_key)] => (between.to_owned(), after_key.to_owned()),
                _ => return Err(invalid("tojson: expected two strings as separators")),
            }
        }
        None => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
    };
    let is_true = |value: Option<Value>| value.is_some_and(|value| value.is_true());
    let (ascii, sorted) = (is_true(ensure_ascii), is_true(sort_keys));
    let mut writer = Writer { out: String::new(), indent, between, after_key, ascii, sorted };
    writer.value(value, 0)?;
    Ok(writer.out)
}

fn indentation(indent: &Value) -> Result<String, Error> {
    let text = match (indent.as_str(), indent.as_i64()) {
        (Some(text), _) if text.len() <= MAX_INDENT => Some(text.to_owned()),
        (None, Some(spaces)) => {
            usize::try_from(spaces.max(0)).ok().filter(|spaces| *spaces <= MAX_INDENT).map(|n| " ".repeat(n))
        }
        _ => None,
    };
    text.ok_or_else(|| refused("tojson: expected an indent of at most 16"))
}

fn refused(why: &'static str) -> Error {
    Error::new(ErrorKind::OutOfFuel, why)
}

fn invalid(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

struct Writer {
    out: String,
    indent: Option<String>,
    between: String,
    after_key: String,
    ascii: bool,
    sorted: bool,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH || self.out.len() > MAX_BYTES {
            return Err(refused("tojson: expected a smaller value"));
        }
        match value.kind() {
            ValueKind::Undefined => return Err(invalid("tojson: expected a value, found an undefined one")),
            ValueKind::None | ValueKind::Bool | ValueKind::Number => self.out.push_str(&scalar(value)),
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                self.out.push('[');
                let mut empty = true;
                for item in value.try_iter()? {
                    self.separate(&mut empty, depth);
                    self.value(&item, depth + 1)?;
                }
                self.close(']', empty, depth);
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sorted {
                    keys.sort();
                }
                self.out.push('{');
                let mut empty = true;
                for key in keys {
                    self.separate(&mut empty, depth);
                    match key.as_str() {
                        Some(text) => self.string(text),
                        None => self.string(&scalar(&key)),
                    }
                    self.out.push_str(&self.after_key);
                    self.value(&value.get_item(&key)?, depth + 1)?;
                }
                self.close('}', empty, depth);
            }
            _ => return Err(invalid("tojson: expected text, numbers, lists and maps")),
        }
        Ok(())
    }

    /// Writes the separator and the line break before an item.
    fn separate(&mut self, empty: &mut bool, depth: usize) {
        if !*empty {
            self.out.push_str(&self.between);
        }
        *empty = false;
        self.line(depth + 1);
    }

    fn close(&mut self, bracket: char, empty: bool, depth: usize) {
        if !empty {
            self.line(depth);
        }
        self.out.push(bracket);
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            self.out.push_str(&indent.repeat(depth));
        }
    }

    fn string(&mut self, text: &str) {
        let written = serde_json::Value::from(text).to_string();
        if !self.ascii {
            self.out.push_str(&written);
            return;
        }
        for c in written.chars() {
            if c.is_ascii() {
                self.out.push(c);
            } else {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    self.out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
}

/// Converts a value that is not a string, a list or a map.
fn scalar(value: &Value) -> String {
    match value.kind() {
        ValueKind::None => "null".to_owned(),
        ValueKind::Bool => if value.is_true() { "true" } else { "false" }.to_owned(),
        _ => float(value).unwrap_or_else(|| value.to_string()),
    }
}
