//! Python features that templates expect: methods of strings, lists and maps, and the formatting of numbers.

use minijinja::value::{Kwargs, Value, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Maximum width, in characters, to which a string is padded.
const MAX_WIDTH: i64 = 1000;

/// Calls a method of a value. Methods that modify the value do not exist, as in Jinja2's sandbox.
pub(super) fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    if let Some(text) = value.as_str()
        && let Some(result) = of_text(text, name, args)
    {
        return result;
    }
    match (value.kind(), name) {
        (ValueKind::Seq | ValueKind::Map, "copy") => {
            let () = from_args(args)?;
            Ok(value.clone())
        }
        (ValueKind::Seq, "index") => {
            let (item,): (Value,) = from_args(args)?;
            let at = value.try_iter()?.position(|other| other == item);
            at.map(Value::from).ok_or_else(|| invalid("index: the value is not in the list"))
        }
        (ValueKind::String, "format") if value.as_str().is_none_or(has_format) => {
            Err(ErrorKind::UnknownMethod.into())
        }
        _ => unknown_method_callback(state, value, name, args),
    }
}

fn invalid(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

/// Whether Python's `str.format` would do more than insert values. A format with a width could pad to any length.
fn has_format(text: &str) -> bool {
    text.split('{').skip(1).any(|field| field.split('}').next().is_some_and(|inner| inner.contains(':')))
}

/// Python's `str.title`: each letter after something that is not a letter is a capital, and the others are small. The filter `title` of
/// Jinja splits words elsewhere.
fn title(text: &str) -> String {
    let mut within = false;
    let letters = text.chars().flat_map(|c| {
        let is_cased = c.is_lowercase() || c.is_uppercase();
        let small = std::mem::replace(&mut within, is_cased);
        let turned = if small { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() };
        turned.chars().collect::<Vec<_>>()
    });
    letters.collect()
}

/// A string method that the engine lacks, or supports with fewer arguments.
fn of_text(text: &str, name: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    Some(match name {
        "removeprefix" | "removesuffix" => from_args(args).map(|(affix,): (&str,)| {
            let rest =
                if name == "removeprefix" { text.strip_prefix(affix) } else { text.strip_suffix(affix) };
            Value::from(rest.unwrap_or(text))
        }),
        "partition" | "rpartition" => from_args(args).and_then(|(mark,): (&str,)| {
            let from_end = name == "rpartition";
            let parts = if from_end { text.rsplit_once(mark) } else { text.split_once(mark) };
            let parts = match parts {
                _ if mark.is_empty() => return Err(invalid("the separator is empty")),
                Some((before, after)) => [before, mark, after],
                None if from_end => ["", "", text],
                None => [text, "", ""],
            };
            Ok(tuple(parts.map(Value::from)))
        }),
        "split" | "rsplit" => split(text, args, name == "rsplit"),
        "title" => from_args(args).map(|()| Value::from(title(text))),
        "splitlines" => from_args(args).and_then(|(keep, options): (Option<bool>, Kwargs)| {
            let keep = keep.or(options.get("keepends")?).unwrap_or(false);
            options.assert_all_used()?;
            Ok(lines(text, keep).into_iter().map(Value::from).collect())
        }),
        "strip" | "lstrip" | "rstrip" => from_args(args).map(|(marks,): (Option<&str>,)| {
            let is_out = |c: char| marks.map_or_else(|| is_space(c), |marks| marks.contains(c));
            Value::from(match name {
                "strip" => stripped(text, marks),
                "lstrip" => text.trim_start_matches(is_out),
                _ => text.trim_end_matches(is_out),
            })
        }),
        "startswith" | "endswith" if args.len() > 1 => bounds(text, &args[1..])
            .and_then(|(text, _)| from_args(&args[..1]).map(|affix: (Value,)| (text, affix.0)))
            .and_then(|(text, affix)| {
                let has = |affix: &str| {
                    if name == "startswith" { text.starts_with(affix) } else { text.ends_with(affix) }
                };
                match affix.as_str() {
                    Some(affix) => Ok(has(affix).into()),
                    None => Ok(affix.try_iter()?.any(|one| one.as_str().is_some_and(has)).into()),
                }
            }),
        "find" | "rfind" | "index" | "rindex" => bounds(text, args.get(1..).unwrap_or_default())
            .and_then(|(part, start)| from_args(&args[..1.min(args.len())]).map(|(a,)| (part, start, a)))
            .and_then(|(part, start, wanted): (&str, usize, &str)| {
                let at = if name.starts_with('r') { part.rfind(wanted) } else { part.find(wanted) };
                match at.map(|at| start + part[..at].chars().count()) {
                    Some(at) => Ok(Value::from(at)),
                    None if name.ends_with("find") => Ok(Value::from(-1)),
                    None => Err(invalid("index: the string does not contain it")),
                }
            }),
        "count" if args.len() > 1 => bounds(text, &args[1..])
            .and_then(|(part, _)| from_args(&args[..1]).map(|(wanted,): (&str,)| (part, wanted)))
            .map(|(part, wanted)| Value::from(part.matches(wanted).count())),
        "isspace" => from_args(args).map(|()| Value::from(!text.is_empty() && text.chars().all(is_space))),
        "isdecimal" => from_args(args)
            .map(|()| Value::from(!text.is_empty() && text.chars().all(|c| c.is_ascii_digit()))),
        "casefold" => from_args(args).map(|()| Value::from(text.to_lowercase().replace('ß', "ss"))),
        "swapcase" => from_args(args).map(|()| Value::from(swapped(text))),
        "zfill" | "ljust" | "rjust" | "center" => filled(text, name, args),
        _ => return None,
    })
}

fn tuple(parts: [Value; 3]) -> Value {
    Value::from(minijinja::value::Tuple::from(parts))
}

/// Python's white space, which has four more control characters than Unicode's.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The text without the characters in `marks`, or without white space, at both ends.
pub(super) fn stripped<'t>(text: &'t str, marks: Option<&str>) -> &'t str {
    text.trim_matches(|c: char| marks.map_or_else(|| is_space(c), |marks| marks.contains(c)))
}

/// `split(sep=None, maxsplit=-1)`, from the end if `from_end`.
fn split(text: &str, args: &[Value], from_end: bool) -> Result<Value, Error> {
    let (mark, most, options): (Option<Value>, Option<i64>, Kwargs) = from_args(args)?;
    let mark = mark.or(options.get("sep")?).filter(|mark| !mark.is_none());
    let most = most.or(options.get("maxsplit")?).unwrap_or(-1);
    options.assert_all_used()?;
    // Without a limit, the text is split into as many parts as it has.
    let most = usize::try_from(most).map_or(usize::MAX, |most| most.saturating_add(1));
    let mut parts: Vec<&str> = match &mark {
        Some(mark) => match mark.as_str() {
            None => return Err(invalid("split: expected a string as the separator")),
            Some("") => return Err(invalid("split: the separator is empty")),
            Some(mark) if from_end => text.rsplitn(most, mark).collect(),
            Some(mark) => text.splitn(most, mark).collect(),
        },
        None => words(text, most, from_end),
    };
    if from_end {
        parts.reverse();
    }
    Ok(parts.into_iter().map(Value::from).collect())
}

/// The words of a text, at most `most`; the last one contains the rest of the text. With `from_end`, they are in reverse order.
fn words(text: &str, most: usize, from_end: bool) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = if from_end { rest.trim_end_matches(is_space) } else { rest.trim_start_matches(is_space) };
        if rest.is_empty() {
            return words;
        }
        let border = if words.len() + 1 >= most {
            None
        } else if from_end {
            rest.char_indices().rfind(|(_, c)| is_space(*c)).map(|(at, c)| at + c.len_utf8())
        } else {
            rest.find(is_space)
        };
        let Some(border) = border else {
            words.push(rest);
            return words;
        };
        let (before, after) = rest.split_at(border);
        let (word, left) = if from_end { (after, before) } else { (before, after) };
        words.push(word);
        rest = left;
    }
}

/// The lines of a text by Python's rules, which have more line ends than `\n`.
fn lines(text: &str, keep: bool) -> Vec<&str> {
    let is_end = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some((at, end)) = rest.char_indices().find(|(_, c)| is_end(*c)) {
        let length = if rest[at..].starts_with("\r\n") { 2 } else { end.len_utf8() };
        lines.push(&rest[..if keep { at + length } else { at }]);
        rest = &rest[at + length..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// The part of a text between the characters `start` and `end`, and the index where it starts.
fn bounds<'t>(text: &'t str, args: &[Value]) -> Result<(&'t str, usize), Error> {
    let (start, end): (Option<i64>, Option<i64>) = from_args(args)?;
    let count = text.chars().count();
    let index = |at: i64| match usize::try_from(at) {
        Ok(at) => at.min(count),
        Err(_) => count.saturating_sub(usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    let start = start.map_or(0, index);
    let end = end.map_or(count, index).max(start);
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    Ok((&text[byte(start)..byte(end)], start))
}

fn swapped(text: &str) -> String {
    let swap = |c: char| -> String {
        if c.is_uppercase() { c.to_lowercase().collect() } else { c.to_uppercase().collect() }
    };
    text.chars().map(swap).collect()
}

fn filled(text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    let (width, fill): (i64, Option<&str>) = from_args(args)?;
    if width > MAX_WIDTH {
        return Err(Error::new(ErrorKind::OutOfFuel, "a string can be padded to at most 1000 characters"));
    }
    let fill = match fill.unwrap_or(if name == "zfill" { "0" } else { " " }) {
        fill if fill.chars().count() == 1 => fill,
        _ => return Err(invalid("expected one fill character")),
    };
    let width = usize::try_from(width).unwrap_or(0);
    let missing = width.saturating_sub(text.chars().count());
    let (sign, digits) = match text.chars().next() {
        Some('+' | '-') if name == "zfill" => text.split_at(1),
        _ => ("", text),
    };
    let before = match name {
        "ljust" => 0,
        // Python chooses the side of the odd space by the parity of the width.
        "center" => missing / 2 + (missing & width & 1),
        _ => missing,
    };
    Ok(Value::from(format!("{sign}{}{digits}{}", fill.repeat(before), fill.repeat(missing - before))))
}

/// Formats a floating-point number as Python prints it; `None` for other values.
pub(super) fn float(value: &Value) -> Option<String> {
    if value.kind() != ValueKind::Number || value.is_integer() {
        return None;
    }
    let number = f64::try_from(value.clone()).ok()?;
    if !number.is_finite() {
        return Some(
            if number.is_nan() {
                "NaN"
            } else if number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            }
            .into(),
        );
    }
    // If there are two shortest spellings, Python chooses the one whose last digit is even, as serde_json does.
    let shortest = serde_json::Number::from_f64(number.abs())?.to_string();
    let (mantissa, power) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let zeros = i32::try_from(all.len() - digits.len()).ok()?;
    let power = power.parse::<i32>().ok()? + i32::try_from(whole.len()).ok()? - 1 - zeros;
    let digits = digits.trim_end_matches('0');
    let sign = if number.is_sign_negative() { "-" } else { "" };
    let text = match usize::try_from(power) {
        _ if digits.is_empty() => "0.0".to_owned(),
        Ok(power) if power < 16 => {
            let (whole, rest) = digits.split_at(digits.len().min(power + 1));
            format!("{whole:0<width$}.{}", if rest.is_empty() { "0" } else { rest }, width = power + 1)
        }
        Err(_) if power >= -4 => {
            format!("0.{:0>width$}", digits, width = digits.len() + (-power - 1) as usize)
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            format!("{first}{point}{rest}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
        }
    };
    Some(format!("{sign}{text}"))
}
