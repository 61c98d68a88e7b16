//! Properties of all data files and templates: what a reference writer has written is read back, nothing is dropped silently, and
//! nothing panics. POCKETLLM_CASES is the number of random cases for each test; the default is a few hundred.
#![cfg(not(target_arch = "wasm32"))]

use pocketllm::text::chat::{ChatTemplate, Conversation, Message, Variables};
use pocketllm::text::dataset::{self, Format, Wanted};
use pocketllm::text::rows::Rows;
use pocketllm::text::template::Template;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A text and its label.
type Row = (String, String);

/// Texts with characters that have a meaning in data files.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c ,;\t\"'\n\r{}\\[\\]:é\u{feff}😀.\\\\]{0,12}", "[^\0]{0,12}", "[a-z]{0,8}"]
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{1,3}", "[a-z0-9 ,;\"'é-]{0,6}[a-z]"].prop_map(|label| label.trim().to_owned())
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    vec((text(), label()), 1..8)
}

/// The rows of a labeled file, and the number of rows that were left out.
fn labeled(name: &str, bytes: &[u8]) -> Option<(Vec<Row>, usize)> {
    let reading = dataset::inspect(name, bytes, &Wanted::default()).ok()?;
    let Rows::Classified(rows) = reading.dataset.rows else { return None };
    let rows = rows.into_iter().map(|row| (row.text, row.label)).collect();
    Some((rows, reading.problems.len()))
}

/// A table as written by the csv crate.
fn table(rows: &[Row], delimiter: u8, always: bool, windows: bool) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new();
    writer.delimiter(delimiter);
    writer.quote_style(if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary });
    writer.terminator(if windows { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') });
    let mut writer = writer.from_writer(Vec::new());
    writer.write_record(["text", "label"]).unwrap();
    rows.iter().for_each(|(text, label)| writer.write_record([text, label]).unwrap());
    writer.into_inner().unwrap()
}

/// JSON values without numbers that Python writes with an exponent.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (any::<i32>(), 1..4096).prop_map(|(n, parts)| Value::from(f64::from(n) / f64::from(parts))),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-z]{1,4}", inner), 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

pub(crate) fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("POCKETLLM_CASES").ok().map(|cases| cases.parse().unwrap());
    let cases = asked.unwrap_or(cases);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn a_written_csv_file_is_read_back(
        rows in rows(), semicolon in any::<bool>(), always in any::<bool>(), windows in any::<bool>(),
    ) {
        let bytes = table(&rows, if semicolon { b';' } else { b',' }, always, windows);
        let (found, left_out) = labeled("a.csv", &bytes).unwrap_or_default();
        // A quoted text whose lines look like rows may be left out, but this is reported.
        let mut written = rows.iter();
        for row in &found {
            prop_assert!(written.any(|other| other == row), "{row:?} was not written");
        }
        if !found.is_empty() {
            prop_assert_eq!(found.len() + left_out, rows.len());
        }
        if rows.iter().all(|(text, _)| !text.contains(['\n', '\r'])) {
            prop_assert_eq!(found, rows);
        }
    }

    #[test]
    fn a_written_tsv_file_is_read_back(rows in rows(), always in any::<bool>()) {
        // A field with a tab and a line end could be two rows.
        let one_line = |(text, label): Row| if text.contains('\t') { (text.replace('\n', ""), label) } else { (text, label) };
        let rows: Vec<Row> = rows.into_iter().map(one_line).collect();
        let bytes = table(&rows, b'\t', always, false);
        let (found, left_out) = labeled("a.tsv", &bytes).unwrap_or_default();
        if !found.is_empty() {
            prop_assert_eq!(found.len() + left_out, rows.len());
        }
        if rows.iter().all(|(text, _)| !text.contains(['\n', '\r'])) {
            prop_assert_eq!(found, rows);
        }
    }

    #[test]
    fn written_json_is_read_back(rows in rows(), pretty in any::<bool>(), array in any::<bool>(), named in any::<bool>()) {
        let objects: Vec<Value> = rows.iter().map(|(text, label)| json!({ "text": text, "label": label })).collect();
        let written = |value: &Value| match pretty {
            true => serde_json::to_string_pretty(value).unwrap(),
            false => value.to_string(),
        };
        let text = match array {
            true => written(&Value::from(objects)),
            false => objects.iter().map(written).collect::<Vec<_>>().join("\n"),
        };
        prop_assert_eq!(labeled(if named { "a.jsonl" } else { "63" }, text.as_bytes()), Some((rows, 0)));
    }

    #[test]
    fn every_field_of_a_message_reaches_the_template(
        fields in vec(("[a-z]{1,6}", value()), 0..4), content in text(), variable in value(),
    ) {
        let mut message: Map<String, Value> = fields.into_iter().filter(|(_, value)| !value.is_null()).collect();
        message.retain(|name, _| !matches!(name.as_str(), "thinking"));
        message.insert("role".to_owned(), "assistant".into());
        message.insert("content".to_owned(), content.into());
        let row = json!({ "messages": [message.clone()], "given": variable.clone() }).to_string();
        let template = "{{ [messages[0], given] | tojson(separators=(',', ':')) }}";
        let template = ChatTemplate::new("t", template, Vec::new()).unwrap();
        let conversation = Conversation::from_json(&row).unwrap();
        let found = template.render(&conversation.messages, &conversation.variables, false).unwrap();
        prop_assert_eq!(found, json!([message, variable]).to_string());
        // The package passes on the same conversation.
        let again = Conversation::from_json(&serde_json::to_string(&conversation).unwrap()).unwrap();
        prop_assert_eq!(again, conversation);
    }

    #[test]
    fn a_prompt_has_its_literals_and_texts(before in text(), after in text(), given in text()) {
        let escaped = |text: &str| text.replace('{', "{{").replace('}', "}}");
        let template = Template::parse(&format!("{}{{text}}{}", escaped(&before), escaped(&after)), None).unwrap();
        prop_assert_eq!(template.render(&given, None).unwrap(), format!("{before}{given}{after}"));
    }
}

/// Pieces of data files and templates, which are combined at random.
fn pieces(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(prop_oneof![8 => proptest::sample::select(pieces).prop_map(str::to_owned), 1 => text()], 0..24)
        .prop_map(|pieces| pieces.concat())
}

const DATA: &[&str] = &[
    "text",
    "label",
    "prompt",
    "completion",
    "messages",
    "conversations",
    "instruction",
    "input",
    "output",
    ",",
    ";",
    "\t",
    "\"",
    "\n",
    "\r\n",
    "\r",
    "{",
    "}",
    "[",
    "]",
    ":",
    "{\"text\":\"a\",\"label\":1}",
    "{\"messages\":[",
    "{\"role\":\"user\",\"content\":",
    "null",
    "1",
    "\"a\"",
    " ",
    "text,label\n",
    "a,b\n",
    "\u{feff}",
    "é",
    "\\u0000",
    "\\",
];
const JINJA: &[&str] = &[
    "{{ ",
    " }}",
    "{% ",
    " %}",
    "{%- ",
    "-%}",
    "{# ",
    " #}",
    "messages",
    "messages[0]",
    ".content",
    ".role",
    "['x']",
    "| ",
    "tojson",
    "join(', ')",
    "length",
    "for m in messages",
    "endfor",
    "if m",
    "else",
    "endif",
    "set x = ",
    "m",
    "loop.previtem",
    ".split(',')",
    ".rsplit('a', 1)",
    "'a'",
    "\"",
    "'",
    "(",
    ")",
    "[",
    "]",
    "[1:]",
    "[::-1]",
    "{",
    "}",
    ":",
    ",",
    "~",
    "+",
    "-",
    "*",
    "//",
    "%",
    " is ",
    "defined",
    "string",
    "in",
    "not ",
    "range(9)",
    "namespace(a=1)",
    "strftime_now('%-d %Q')",
    "raise_exception('x')",
    "generation",
    "endgeneration",
    "macro f(x)",
    "endmacro",
    "cycler(1, 2).next()",
    "joiner()()",
    "1",
    "0.5",
    "none",
    "\n",
    "\r\n",
    "tojson(indent=2)",
    ".zfill(9)",
    ".center(-1)",
    ".find('a', -9)",
    ".items()",
    "trim",
];

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn no_data_file_panics(
        text in pieces(DATA), bytes in vec(any::<u8>(), 0..64), name in proptest::sample::select(&["a.csv", "a.tsv", "a.jsonl", "a.json", "a.txt", "a", ""][..]),
        labeled in any::<bool>(), format in proptest::sample::select(&[None, Some(Format::Csv), Some(Format::Tsv), Some(Format::Jsonl), Some(Format::Txt)][..]),
    ) {
        let wanted = Wanted { labeled, format, ..Wanted::default() };
        for bytes in [text.as_bytes(), &bytes] {
            let _ = dataset::read(name, bytes);
            if let Ok(reading) = dataset::inspect(name, bytes, &wanted) {
                prop_assert!(!reading.dataset.is_empty());
                let _ = reading.dataset.fingerprint();
                let _ = reading.whole();
            }
        }
    }

    #[test]
    fn no_template_panics(source in pieces(JINJA), prompt in pieces(&["{", "}", "{{", "}}", "{text}", "{text_b}", "[MASK]", "<m>", "é"])) {
        if let Ok(template) = ChatTemplate::new("t", &source, Vec::new()) {
            let turns = [Message::new("user", "a,b"), Message::new("assistant", "é\n")];
            let _ = template.render(&turns, &Variables::new(), true);
        }
        if let Ok(template) = Template::parse(&prompt, Some("<m>")) {
            let _ = template.render("a<m>", Some("[MASK]"));
        }
    }
}
