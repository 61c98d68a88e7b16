//! GGUF's key-value header, with types.

use std::collections::BTreeMap;

use super::window::Window;
use crate::error::{Error, Result, bail, err};

/// One value of the header.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// u8, u16, u32 or u64.
    Unsigned(u64),
    /// i8, i16, i32 or i64.
    Signed(i64),
    /// f32 or f64.
    Float(f64),
    /// A bool.
    Bool(bool),
    /// A string.
    Str(String),
    /// An array of integers of any width.
    Ints(Vec<i64>),
    /// An array of f32 or f64.
    Floats(Vec<f32>),
    /// An array of bools.
    Bools(Vec<bool>),
    /// An array of strings.
    Strings(Vec<String>),
}

/// The header of a GGUF file: `general.architecture`, `tokenizer.ggml.tokens` and so on.
///
/// Getters reject a value of another type with `file-corrupt`, naming the file and the key. For an absent key, the `opt_` getters
/// return `None`, and the others return an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    name: String,
    values: BTreeMap<String, Value>,
}

/// Maximum number of items that are reserved before any of them has been read.
const RESERVE: u64 = 1 << 16;

impl Metadata {
    /// Metadata from values of another source; `name` is for messages.
    pub fn new(name: &str, values: BTreeMap<String, Value>) -> Self {
        Metadata { name: name.to_owned(), values }
    }

    /// Reads `count` keys and values.
    pub(super) async fn read(name: &str, window: &mut Window<'_>, count: u64) -> Result<Self> {
        let mut values = BTreeMap::new();
        for _ in 0..count {
            let key = window.string("metadata key").await?;
            let kind = window.u32(&key).await?;
            let value = if kind == ARRAY {
                array(name, window, &key).await?
            } else {
                scalar(name, window, &key, kind).await?
            };
            if values.contains_key(&key) {
                bail!(FileCorrupt, "{name}: `{key}` appears twice");
            }
            values.insert(key, value);
        }
        Ok(Metadata::new(name, values))
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the key exists.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The value of this key.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// A string, if the key exists.
    pub fn opt_str(&self, key: &str) -> Result<Option<&str>> {
        self.opt(key, "a string", |value| match value {
            Value::Str(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// A string.
    pub fn str(&self, key: &str) -> Result<&str> {
        self.opt_str(key)?.ok_or_else(|| self.missing(key))
    }

    /// An integer from 0 to 2^32 - 1 of any width, if the key exists.
    pub fn opt_u32(&self, key: &str) -> Result<Option<u32>> {
        self.opt(key, "an integer from 0 to 4294967295", |value| match value {
            Value::Unsigned(n) => u32::try_from(*n).ok(),
            Value::Signed(n) => u32::try_from(*n).ok(),
            _ => None,
        })
    }

    /// An integer from 0 to 2^32 - 1 of any width.
    pub fn u32(&self, key: &str) -> Result<u32> {
        self.opt_u32(key)?.ok_or_else(|| self.missing(key))
    }

    /// A number that is finite in f32, if the key exists.
    pub fn opt_f32(&self, key: &str) -> Result<Option<f32>> {
        self.opt(key, "a finite number", |value| match value {
            Value::Float(x) => Some(*x as f32).filter(|x| x.is_finite()),
            _ => None,
        })
    }

    /// A number that is finite in f32.
    pub fn f32(&self, key: &str) -> Result<f32> {
        self.opt_f32(key)?.ok_or_else(|| self.missing(key))
    }

    /// A bool, if the key exists.
    pub fn opt_bool(&self, key: &str) -> Result<Option<bool>> {
        self.opt(key, "a bool", |value| match value {
            Value::Bool(b) => Some(*b),
            _ => None,
        })
    }

    /// A bool.
    pub fn bool(&self, key: &str) -> Result<bool> {
        self.opt_bool(key)?.ok_or_else(|| self.missing(key))
    }

    /// An array of strings, if the key exists.
    pub fn opt_strings(&self, key: &str) -> Result<Option<&[String]>> {
        self.opt(key, "an array of strings", |value| match value {
            Value::Strings(items) => Some(items.as_slice()),
            _ => None,
        })
    }

    /// An array of strings.
    pub fn strings(&self, key: &str) -> Result<&[String]> {
        self.opt_strings(key)?.ok_or_else(|| self.missing(key))
    }

    /// An array of integers of any width, if the key exists.
    pub fn opt_ints(&self, key: &str) -> Result<Option<&[i64]>> {
        self.opt(key, "an array of integers", |value| match value {
            Value::Ints(items) => Some(items.as_slice()),
            _ => None,
        })
    }

    /// An array of floats, if the key exists.
    pub fn opt_floats(&self, key: &str) -> Result<Option<&[f32]>> {
        self.opt(key, "an array of floats", |value| match value {
            Value::Floats(items) => Some(items.as_slice()),
            _ => None,
        })
    }

    fn opt<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.values.get(key) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => bail!(FileCorrupt, "{}: `{key}`: expected {expected}, found {}", self.name, show(value)),
        }
    }

    fn missing(&self, key: &str) -> Error {
        err!(FileCorrupt, "{}: expected `{key}` in the metadata, found nothing", self.name)
    }
}

/// A value short enough for a message.
fn show(value: &Value) -> String {
    match value {
        Value::Unsigned(n) => n.to_string(),
        Value::Signed(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Str(_) => "a string".to_owned(),
        Value::Ints(items) => format!("an array of {} integers", items.len()),
        Value::Floats(items) => format!("an array of {} floats", items.len()),
        Value::Bools(items) => format!("an array of {} bools", items.len()),
        Value::Strings(items) => format!("an array of {} strings", items.len()),
    }
}

const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Bytes of a scalar of the specification's `gguf_metadata_value_type`. For a string, bytes of its length.
fn width(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        STRING | 10..=12 => Some(8),
        _ => None,
    }
}

async fn scalar(name: &str, window: &mut Window<'_>, key: &str, kind: u32) -> Result<Value> {
    if kind == STRING {
        return Ok(Value::Str(window.string(key).await?));
    }
    let Some(width) = width(kind) else {
        bail!(FileCorrupt, "{name}: `{key}`: expected a value type from 0 to 12, found {kind}");
    };
    let mut le = [0; 8];
    let read = window.take(width, key).await?;
    for (to, from) in le.iter_mut().zip(read) {
        *to = *from;
    }
    Ok(match kind {
        0 | 2 | 4 | 10 => Value::Unsigned(u64::from_le_bytes(le)),
        1 => Value::Signed(i64::from(le[0] as i8)),
        3 => Value::Signed(i64::from(i16::from_le_bytes([le[0], le[1]]))),
        5 => Value::Signed(i64::from(i32::from_le_bytes([le[0], le[1], le[2], le[3]]))),
        6 => Value::Float(f64::from(f32::from_le_bytes([le[0], le[1], le[2], le[3]]))),
        7 if le[0] > 1 => bail!(FileCorrupt, "{name}: `{key}`: expected a bool of 0 or 1, found {}", le[0]),
        7 => Value::Bool(le[0] == 1),
        11 => Value::Signed(i64::from_le_bytes(le)),
        _ => Value::Float(f64::from_le_bytes(le)),
    })
}

async fn array(name: &str, window: &mut Window<'_>, key: &str) -> Result<Value> {
    let kind = window.u32(key).await?;
    let Some(width) = width(kind) else {
        bail!(
            FileCorrupt,
            "{name}: `{key}`: expected an array of scalars or strings, found items of type {kind}"
        );
    };
    let count = window.count(width, "number of array items").await?;
    let capacity = count.min(RESERVE) as usize;
    Ok(match kind {
        STRING => {
            let mut items = Vec::with_capacity(capacity);
            for _ in 0..count {
                items.push(window.string(key).await?);
            }
            Value::Strings(items)
        }
        6 | 12 => {
            let mut items = Vec::with_capacity(capacity);
            for _ in 0..count {
                if let Value::Float(x) = scalar(name, window, key, kind).await? {
                    items.push(x as f32);
                }
            }
            Value::Floats(items)
        }
        7 => {
            let mut items = Vec::with_capacity(capacity);
            for _ in 0..count {
                items.push(scalar(name, window, key, kind).await? == Value::Bool(true));
            }
            Value::Bools(items)
        }
        _ => {
            let mut items = Vec::with_capacity(capacity);
            for _ in 0..count {
                items.push(match scalar(name, window, key, kind).await? {
                    Value::Signed(n) => n,
                    Value::Unsigned(n) => match i64::try_from(n) {
                        Ok(n) => n,
                        Err(_) => {
                            bail!(FileCorrupt, "{name}: `{key}`: expected integers below 2^63, found {n}")
                        }
                    },
                    _ => 0,
                });
            }
            Value::Ints(items)
        }
    })
}
