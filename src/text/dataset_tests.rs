use super::*;
use crate::error::Code;
use crate::text::rows::{Classified, Completion};

fn rows(name: &str, text: &str) -> Vec<Classified> {
    match read(name, text.as_bytes()).unwrap().rows {
        Rows::Classified(rows) => rows,
        other => panic!("{other:?}"),
    }
}

/// The message of the refusal, which must be `data-invalid` and name the file.
fn refused(name: &str, bytes: impl AsRef<[u8]>) -> String {
    let e = read(name, bytes.as_ref()).unwrap_err();
    assert_eq!(e.code(), Code::DataInvalid);
    assert!(e.message().starts_with(name), "{e}");
    e.message().to_string()
}

#[test]
fn csv_with_quotes_bom_and_any_case() {
    let text = "\u{FEFF}ID,Text,LABEL\r\n1,\"a, \"\"b\"\"\nsecond line\", pos \r\n\r\n2,,neg\r\n";
    let rows = rows("Data.CSV", text);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].text, "a, \"b\"\nsecond line");
    assert_eq!((rows[0].label.as_str(), rows[0].row, rows[0].text_b.as_deref()), ("pos", 2, None));
    assert_eq!((rows[1].text.as_str(), rows[1].label.as_str()), ("", "neg"));
    assert_eq!(rows[1].row, 5, "lines are counted, not records");
}

#[test]
fn tsv_with_and_without_quoting() {
    let quoted = rows("a.tsv", "text\ttext_b\tlabel\n\"a\tb\"\tc\t1\n");
    assert_eq!((quoted[0].text.as_str(), quoted[0].text_b.as_deref()), ("a\tb", Some("c")));
    // As in GLUE: a quote is a character.
    let plain = rows("a.tsv", "text\tlabel\n\"unclosed\t1\nsay \"hi\"\t0\n");
    assert_eq!((plain[0].text.as_str(), plain[1].text.as_str()), ("\"unclosed", "say \"hi\""));
    let merged = rows("a.tsv", "text\tlabel\n\"open\t1\nend\"\t0\n\"\"\t2\n");
    assert_eq!(merged.len(), 3);
    assert!(refused("a.tsv", "text\tlabel\na\t1\nb\n").contains("row 3, field `label`"));
}

#[test]
fn json_lines_and_arrays() {
    let lines = "{\"text\":\"a\",\"label\":1}\n\n{\"Text\":\"b\",\"label\":\" x \",\"text_b\":null,\"more\":[]}\n{\"text\":\"c\",\"label\":2.0}";
    let expected = [("a", "1", 1), ("b", "x", 3), ("c", "2", 4)];
    for name in ["a.jsonl", "a.ndjson", "a.json"] {
        let rows = rows(name, lines);
        let found: Vec<_> = rows.iter().map(|r| (r.text.as_str(), r.label.as_str(), r.row)).collect();
        assert_eq!(found, expected);
    }
    let array = rows("a.json", "[{\"text\":\"a\",\"label\":true},\n\n{\"text\":\"b\",\"label\":0}]");
    assert_eq!((array[0].label.as_str(), array[1].row), ("true", 2));
}

#[test]
fn completions_and_plain_text() {
    let d = read("a.csv", b"prompt,completion\n,x\nq, y \n").unwrap();
    let row = |prompt: &str, completion: &str, row| Completion {
        prompt: prompt.into(),
        completion: completion.into(),
        row,
    };
    assert_eq!(d.rows, Rows::Completion(vec![row("", "x", 2), row("q", " y ", 3)]));
    for name in ["a.txt", "a", "README.md", ".hidden"] {
        assert_eq!(read(name, "é\r\n".as_bytes()).unwrap().rows, Rows::Plain(vec!["é\r\n".into()]));
    }
}

#[test]
fn conversations() {
    let line =
        r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Oh","more":1}]}"#;
    let d = read("a.jsonl", format!("\n{line}\n").as_bytes()).unwrap();
    let Rows::Chat(rows) = &d.rows else { panic!("{d:?}") };
    assert_eq!((rows.len(), rows[0].row, rows[0].messages[1].content.as_str()), (1, 2, "Oh"));
    let other = read("a.jsonl", line.replace("Oh", "Ah").as_bytes()).unwrap();
    assert_ne!(d.fingerprint(), other.fingerprint());
    assert_eq!(read("b.json", format!("[{line}]").as_bytes()).unwrap().fingerprint(), d.fingerprint());
}

#[test]
fn refusals_name_the_place() {
    for name in ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.txt"] {
        for empty in ["", " \n\t\n", "\u{FEFF}"] {
            assert!(refused(name, empty).contains("empty"));
        }
        assert!(refused(name, b"\xc3\xa9bc\xff").contains("0xff at byte 4"));
        assert!(refused(name, b"\xff\xfea\0b").contains("UTF-16"));
    }
    for (name, text, parts) in [
        ("a.csv", "text,label\n", &["at least one row"][..]),
        ("a.csv", "text,label\na,b\nc\n", &["row 3", "`label`", "2 fields", "found 1"]),
        ("a.csv", "text,label\na,b,c\n", &["row 2", "2 fields", "found 3"]),
        ("a.csv", "text,label\n\"open,b\nc,d\n", &["row 2", "found 1: is a quotation mark never closed?"]),
        ("a.csv", "text,label\na, \n", &["row 2", "`label`"]),
        ("a.csv", "text,feeling\na,b\n", &["header", "`label`", "`feeling`"]),
        ("a.csv", "just a line\n", &["header", "`text`", "`just a line`"]),
        ("a.csv", "text,Text,label\na,b,c\n", &["header", "`Text` twice"]),
        ("a.csv", "prompt,text\na,b\n", &["`label`"]),
        ("a.csv", "messages\n[]\n", &["chat data as .jsonl", "a table"]),
        ("a.jsonl", "{\"text\":\"a\",\"label\":1}\nnope\n", &["row 2", "JSON object"]),
        ("a.jsonl", "{\"text\":3,\"label\":1}\n", &["row 1", "`text`", "a string", "the number 3"]),
        ("a.jsonl", "{\"text\":\"a\",\"label\":[1]}", &["row 1", "`label`", "an array"]),
        ("a.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":\"a\"}", &["row 2", "`label`", "found none"]),
        ("a.jsonl", "{\"text\":\"a\",\"label\":null}", &["row 1", "`label`"]),
        ("a.jsonl", "{\"prompt\":\"a\",\"completion\":\"\"}", &["row 1", "`completion`", "nothing"]),
        ("a.jsonl", "[1]\n", &["row 1", "an array"]),
        ("a.jsonl", "{\"messages\":[]}\n", &["row 1", "role is assistant", "none among 0"]),
        ("a.jsonl", "{\"messages\":\"x\"}\n", &["row 1", "`messages`", "an array", "a string"]),
        ("a.jsonl", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", &["row 1", "none among 1"]),
        ("a.jsonl", "{\"messages\":[{\"role\":\"user\"}]}", &["row 1", "message 1, `content`", "found none"]),
        ("a.jsonl", "{\"messages\":[3]}", &["row 1", "message 1, `role`", "found none"]),
        ("a.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"messages\":[]}\n", &["row 2", "`label`"]),
        (
            "a.jsonl",
            "{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}]}\n{\"text\":\"a\"}",
            &["row 2", "`messages`"],
        ),
        ("a.json", "[]", &["at least one row"]),
        ("a.json", "[{\"text\":\"a\",\"label\":1},2]", &["row 2", "the number 2"]),
        ("a.json", "\"text\"", &["array"]),
        ("a.json", &format!("{}1", "[".repeat(100_000)), &["array"]),
    ] {
        let message = refused(name, text);
        for part in parts {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }
}

#[test]
fn torn_files_are_read_or_refused_without_panic() {
    for (name, text) in [
        ("a.csv", "\u{FEFF}text,text_b,label\n\"é,\n\"\"\",b,1\nc,d,2\n"),
        ("a.tsv", "text\tlabel\n\"é\t1\"\t2\n"),
        ("a.jsonl", "{\"text\":\"é\\u00e9\",\"label\":1}\n{\"prompt\":\"\",\"completion\":\"x\"}\n"),
        ("a.json", "[{\"text\":\"é\",\"label\":1.5e3}]"),
        ("a.txt", "é\n"),
    ] {
        let bytes = text.as_bytes();
        for end in 0..=bytes.len() {
            let _ = read(name, &bytes[..end]);
            let _ = read(name, &bytes[end..]);
            let mut torn = bytes.to_vec();
            for byte in [0u8, b'"', b'\n', 0xff] {
                torn.splice(end..end, [byte]);
                let _ = read(name, &torn);
            }
        }
    }
}

#[test]
fn the_fingerprint_is_of_the_content() {
    let print = |name: &str, text: &str| read(name, text.as_bytes()).unwrap().fingerprint();
    let csv = print("a.csv", "text,label\na,1\nb,2\n");
    assert_eq!(csv, print("b.jsonl", "{\"text\":\"a\",\"label\":1}\n\n{\"label\":\"2\",\"text\":\"b\"}"));
    let others = [
        print("a.csv", "text,label\nb,2\na,1\n"),
        print("a.csv", "text,label\na,1\n"),
        print("a.csv", "text,text_b,label\na,,1\nb,,2\n"),
        print("a.csv", "prompt,completion\na,1\nb,2\n"),
        print("a.csv", "text,label\na1,b\n2,x\n"),
        print("a.txt", "text,label\na,1\nb,2\n"),
    ];
    assert!(!others.contains(&csv));
    // Trajectory files keep it: it must not change between releases.
    assert_eq!(csv, 144_570_385_755_322_967);
}

/// The files of `tests/rows` are read as `expected.json` there says. With `POCKETLLM_WRITE=1` it is written, to be reviewed. The package's tests read them with the
/// engine in wasm, and hold them against the same file.
#[test]
#[cfg(not(target_arch = "wasm32"))] // there are no files
fn odd_files_are_read_as_expected() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rows");
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("expected.json")).unwrap()).unwrap();
    let mut found = serde_json::Map::new();
    for entry in std::fs::read_dir(&dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "expected.json" {
            let bytes = std::fs::read(dir.join(&name)).unwrap();
            found.insert(name.clone(), inspected(&name, &bytes));
        }
    }
    let found = serde_json::Value::Object(found);
    if std::env::var("POCKETLLM_WRITE").is_ok_and(|v| v == "1") {
        let text = serde_json::to_string_pretty(&found).unwrap().replace("  ", " ");
        std::fs::write(dir.join("expected.json"), text + "\n").unwrap();
    }
    assert_eq!(found, expected, "{}", serde_json::to_string_pretty(&found).unwrap());
}

/// What `readRows` of the package returns for a file, or the message of its error.
#[cfg(not(target_arch = "wasm32"))]
fn inspected(name: &str, bytes: &[u8]) -> serde_json::Value {
    use serde_json::json;
    let reading = match inspect(name, bytes, &Wanted::default()) {
        Ok(reading) => reading,
        Err(error) => return json!({ "error": error.message() }),
    };
    let (kind, rows) = match &reading.dataset.rows {
        Rows::Classified(rows) => ("classified", json!(rows)),
        Rows::Completion(rows) => ("completion", json!(rows)),
        Rows::Chat(rows) => ("chat", json!(rows)),
        Rows::Plain(texts) => ("plain", json!(texts)),
        Rows::Questions(_) => panic!("{name}: no file has questions"),
    };
    let columns: std::collections::BTreeMap<_, _> = reading.columns.into_iter().collect();
    let mut found = json!({
        "kind": kind,
        "rows": rows,
        "format": reading.format,
        "encoding": reading.encoding,
        "columns": columns,
        "problems": reading.problems,
    });
    if let Some(layout) = reading.layout {
        found["layout"] = json!(layout);
    }
    found
}
