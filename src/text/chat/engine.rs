//! The template engine with Hugging Face's functions, filters, tests and methods.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Object, ObjectRepr, Rest, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::globals::joiner;

use super::{date, json, python};

/// Maximum number of steps of the template engine per rendering, far more than needed for a conversation that fits in a model's context.
const FUEL: u64 = 20_000_000;

/// The error of a template's own function `raise_exception`.
#[derive(Debug)]
pub(super) struct Raised;

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the template refuses the conversation")
    }
}

impl std::error::Error for Raised {}

pub(super) fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(python::method);
    environment.set_formatter(|out, state, value| match python::float(value) {
        Some(text) => Ok(out.write_str(&text)?),
        None => minijinja::escape_formatter(out, state, value),
    });
    environment.add_filter("tojson", json::tojson);
    environment.add_filter("trim", |value: &Value, marks: Option<&str>| {
        python::stripped(&value.to_string(), marks).to_owned()
    });
    environment.add_filter("int", |value: &Value, default: Option<i64>| {
        number(value).map_or(default.unwrap_or(0), |number| number as i64)
    });
    environment.add_filter("float", |value: &Value, default: Option<f64>| {
        number(value).unwrap_or(default.unwrap_or(0.0))
    });
    environment.add_filter("escape", escaped);
    environment.add_filter("e", escaped);
    // In Jinja2, `attr` does not return items of maps.
    environment.remove_filter("attr");
    environment.add_function("raise_exception", |message: Value| -> Result<Value, Error> {
        let error = Error::new(ErrorKind::InvalidOperation, message.to_string());
        Err(error.with_source(Raised))
    });
    environment.add_function("strftime_now", |format: &str| {
        date::on_the_day(format).map_err(|e| Error::new(ErrorKind::InvalidOperation, e.message().to_owned()))
    });
    environment.add_function("joiner", joiner);
    environment.add_function("cycler", |items: Rest<Value>| match items.is_empty() {
        true => Err(Error::new(ErrorKind::MissingArgument, "cycler: expected values")),
        false => Ok(Value::from_object(Cycler { items: items.to_vec(), at: AtomicUsize::new(0) })),
    });
    // In Python, None is not iterable. Templates check this for the tools.
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::String | ValueKind::Map | ValueKind::Seq | ValueKind::Iterable)
            || value.is_undefined()
    });
    environment.add_test("callable", |value: &Value| {
        matches!(value.kind(), ValueKind::Plain | ValueKind::Undefined)
    });
    Ok(environment)
}

/// The number that a value is or spells.
fn number(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None if value.kind() == ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        None => f64::try_from(value.clone()).ok(),
    }
    .filter(|number| number.is_finite())
}

fn escaped(value: &Value) -> String {
    let text = value.to_string();
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&#34;").replace('\'', "&#39;")
}

/// Values that are returned cyclically.
#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    at: AtomicUsize,
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = self.at.load(Ordering::Relaxed);
        (key.as_str() == Some("current")).then(|| self.items.get(at).cloned())?
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let () = from_args(args)?;
        let at = self.at.load(Ordering::Relaxed);
        match method {
            "next" => {
                self.at.store((at + 1) % self.items.len().max(1), Ordering::Relaxed);
                Ok(self.items.get(at).cloned().unwrap_or_default())
            }
            "reset" => {
                self.at.store(0, Ordering::Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(ErrorKind::UnknownMethod.into()),
        }
    }
}
