//! JSON as values of the template engine, exactly: fields keep their order, and numbers keep their digits.

use std::fmt;

use minijinja::Value;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Error, Result};

/// Reads JSON as Python does, except for numbers beyond 38 digits or beyond the range of f64.
///
/// # Errors
/// An error with its position if the text is not JSON.
pub(crate) fn parse(text: &str) -> Result<Value> {
    of(serde_json::from_str::<&RawValue>(text)?.get())
}

fn of(text: &str) -> Result<Value> {
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let Fields(fields) = serde_json::from_str(text)?;
            let read = |(name, raw): (String, &RawValue)| Ok((name, of(raw.get())?));
            Value::from_pairs(fields.into_iter().map(read).collect::<Result<Vec<_>>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            Value::from(items.into_iter().map(|raw| of(raw.get())).collect::<Result<Vec<_>>>()?)
        }
        Some(b'-' | b'0'..=b'9') => number(text)?,
        _ => serde_json::from_str(text)?,
    })
}

/// A number. The parser of serde_json may be off by the last bit.
fn number(text: &str) -> Result<Value> {
    let beyond = || Error::custom(format!("a number beyond what can be printed, {text}"));
    if text.contains(['.', 'e', 'E']) {
        let number: f64 = text.parse().map_err(|_| beyond())?;
        return if number.is_finite() { Ok(Value::from(number)) } else { Err(beyond()) };
    }
    match text.parse::<i64>() {
        Ok(number) => Ok(Value::from(number)),
        Err(_) => text.parse::<i128>().map(Value::from).map_err(|_| beyond()),
    }
}

/// The fields of an object in their order.
struct Fields<'t>(Vec<(String, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Fields<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Ordered;
        impl<'de> Visitor<'de> for Ordered {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Ordered).map(Fields)
    }
}
