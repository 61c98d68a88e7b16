//! The filter `tojson` as in Hugging Face, which is Python's
//! `json.dumps(value, ensure_ascii=False, indent=indent)`.
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind};

/// Maximum number of bytes of the result.
const MAX_BYTES: usize = 16 << 20;
/// Maximum nesting depth of objects and arrays.
const MAX_DEPTH: usize = 64;
/// Maximum indentation per level, in spaces.
const MAX_INDENT: usize = 16;

pub(super) fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    options.assert_all_used()?;
    if indent.is_some_and(|spaces| spaces > MAX_INDENT) {
        return Err(refused("tojson: expected an indent of at most 16"));
    }
    let mut out = String::new();
    write(&mut out, value, indent, 0)?;
    Ok(out)
}

fn refused(why: &'static str) -> Error {
    Error::new(ErrorKind::OutOfFuel, why)
}

fn write(out: &mut String, value: &Value, indent: Option<usize>, depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH || out.len() > MAX_BYTES {
        return Err(refused("tojson: expected a smaller value"));
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&value.to_string()),
        ValueKind::String => string(out, value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => {
            let mut open = Open::new(out, '[');
            for item in value.try_iter()? {
                open.item(out, indent, depth);
                write(out, &item, indent, depth + 1)?;
            }
            open.close(out, ']', indent, depth);
        }
        ValueKind::Map => {
            let mut open = Open::new(out, '{');
            for key in value.try_iter()? {
                open.item(out, indent, depth);
                string(out, &key.to_string());
                out.push_str(": ");
                write(out, &value.get_item(&key)?, indent, depth + 1)?;
            }
            open.close(out, '}', indent, depth);
        }
        _ => {
            return Err(Error::new(
                ErrorKind::BadSerialization,
                "tojson: expected text, numbers, lists and maps",
            ));
        }
    }
    Ok(())
}

fn string(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// A list or map that is being written.
struct Open {
    empty: bool,
}

impl Open {
    fn new(out: &mut String, bracket: char) -> Open {
        out.push(bracket);
        Open { empty: true }
    }

    /// Writes the separator and the line break before an item.
    fn item(&mut self, out: &mut String, indent: Option<usize>, depth: usize) {
        match (self.empty, indent) {
            (true, None) => {}
            (false, None) => out.push_str(", "),
            (empty, Some(spaces)) => {
                out.push_str(if empty { "\n" } else { ",\n" });
                out.push_str(&" ".repeat(spaces * (depth + 1)));
            }
        }
        self.empty = false;
    }

    fn close(self, out: &mut String, bracket: char, indent: Option<usize>, depth: usize) {
        if let (false, Some(spaces)) = (self.empty, indent) {
            out.push('\n');
            out.push_str(&" ".repeat(spaces * depth));
        }
        out.push(bracket);
    }
}
