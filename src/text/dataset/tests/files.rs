//! Files that are rejected, truncated or unusual.

use super::*;

/// Python's `json` writes them for missing numbers.
#[test]
fn numbers_that_json_does_not_have_are_missing_values() {
    let text = concat!(
        "{\"text\": \"a \\\" NaN\", \"label\": \"x\", \"score\": NaN}\n",
        "{\"text\": \"b\", \"label\": \"y\", \"score\": -Infinity}\n",
        "{\"text\": \"c\", \"label\": NaN, \"score\": Infinity}\n",
    );
    let error = read("a.jsonl", text.as_bytes()).unwrap_err();
    assert!(error.message().contains("row 3") && error.message().contains("`label`"), "{error}");
    let two = text.lines().take(2).collect::<Vec<_>>().join("\n");
    let Rows::Classified(rows) = read("a.jsonl", two.as_bytes()).unwrap().rows else { panic!() };
    assert_eq!(rows.iter().map(|row| row.text.as_str()).collect::<Vec<_>>(), ["a \" NaN", "b"]);
}

#[test]
fn refusals_name_the_place() {
    for name in ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.txt"] {
        for empty in ["", " \n\t\n", "\u{FEFF}"] {
            assert!(refused(name, empty).contains("empty"));
        }
        assert!(refused(name, b"\xc3\xa9bc\xff").contains("0xff at byte 4"));
        assert!(refused(name, b"\xff\xfea\0b").contains("UTF-16"));
        assert!(refused(name, b"t\0e\0x\0t\0").contains("0x00 at byte 1: if the file is in UTF-16"));
    }
    for (name, text, parts) in [
        ("a.csv", "text,label\n", &["at least one row"][..]),
        ("a.csv", "text,label\na,b\nc\n", &["row 3", "`label`", "2 fields", "found 1"]),
        ("a.csv", "text,label\na,b,c\n", &["row 2", "2 fields", "found 3"]),
        ("a.csv", "text,label\n\"open,b\nc,d\n", &["row 2", "line 2", "closed", "the end of the file"]),
        ("a.csv", "label,text\nx,a\n\ny,\"open\nz,b\n", &["row 4", "line 4", "the end of the file"]),
        ("a.csv", "label,text\ny,\"open\nz,\"b\nx,c\n", &["row 2", "line 2", "text after a mark on line 3"]),
        ("a.csv", "label,text\ny,\"open\nz,b\"\nx,c\n", &["row 2", "one row", "found 2"]),
        ("a.csv", "text,label\na,x\n\"open,y\nb\",z\n", &["row 3", "one row", "found 2"]),
        ("a.csv", "label;text\ny;\"open\nz;b\"\nx;c\n", &["row 2", "one row", "found 2"]),
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
        ("a.jsonl", "[1]\n", &["row 1", "the number 1"]),
        ("a.jsonl", "[1]\n[2]\n", &["row 1", "an array"]),
        ("a.jsonl", "{\"text\":\"a\",\"label\":1,\"text\":\"b\"}\n", &["row 1", "`text` twice"]),
        ("a.json", "{\n\"text\":\"a\",\n\"label\":1\n}\n{\n\"text\":\n", &["row 5", "JSON object"]),
        ("a.jsonl", "{\"messages\":[]}\n", &["row 1", "role is assistant", "none among 0"]),
        ("a.jsonl", "{\"messages\":\"x\"}\n", &["row 1", "`messages`", "an array", "a string"]),
        ("a.jsonl", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", &["row 1", "none among 1"]),
        ("a.jsonl", "{\"messages\":[{\"role\":\"user\"}]}", &["row 1", "message 1, `content`", "found none"]),
        ("a.jsonl", "{\"messages\":[3]}", &["row 1", "message 1, `role`", "the number 3"]),
        ("a.jsonl", "{\"messages\":[{\"role\":null}]}", &["row 1", "message 1, `role`", "found none"]),
        (
            "a.jsonl",
            "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}]}",
            &["row 1", "message 1, `content`", "parts of text", "\"image\""],
        ),
        (
            "a.jsonl",
            "{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}],\"tools\":\"none\"}",
            &["row 1", "`tools`", "a list of objects"],
        ),
        (
            "a.jsonl",
            "{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}],\"add_generation_prompt\":true}",
            &["row 1", "`add_generation_prompt`"],
        ),
        (
            "a.jsonl",
            "{\"conversations\":[{\"from\":\"moon\",\"value\":\"x\"}]}",
            &["row 1", "message 1, `from`", "\"moon\""],
        ),
        ("a.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"messages\":[]}\n", &["row 2", "`label`"]),
        (
            "a.jsonl",
            "{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}]}\n{\"text\":\"a\"}",
            &["row 2", "`messages`"],
        ),
        ("a.json", "[]", &["at least one row"]),
        ("a.json", "[{\"text\":\"a\",\"label\":1},2]", &["row 2", "the number 2"]),
        ("a.json", "\"text\"", &["row 1", "a string"]),
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

/// The files in `tests/rows` are read as its `expected.json` says. With `POCKETLLM_WRITE=1`, that file is written, and must be
/// reviewed. The package's tests read them with the wasm engine and compare with the same file.
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

/// What the package's `readRows` returns for a file, or the message of its error.
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
        "notes": reading.notes.iter().map(Note::to_string).collect::<Vec<_>>(),
        "noted": reading.notes,
    });
    if let Some(layout) = reading.layout {
        found["layout"] = json!(layout);
    }
    found
}

/// Spreadsheets write this line for Excel, which otherwise takes the separator from the system's language.
#[test]
fn the_line_that_names_the_separator_is_no_row() {
    for (line, separator) in [("sep=;", ';'), ("\"sep=;\"", ';'), ("sep=,", ','), ("sep=\t", '\t')] {
        for end in ["\n", "\r\n", "\r"] {
            let rows = ["Text;Label", "Lunch at noon;friend", "Pay here;scam", "Bye;"];
            let text = format!("{line}{end}{}{end}", rows.join(end)).replace(';', &separator.to_string());
            let reading = inspect("mail.csv", text.as_bytes(), &Wanted::default()).unwrap();
            assert_eq!(reading.dataset.len(), 2, "{text:?}");
            // The numbers of the lines are those of the file.
            assert_eq!(
                reading.problems.iter().map(|problem| problem.row).collect::<Vec<_>>(),
                [5],
                "{text:?}"
            );
        }
    }
    assert!(read("mail.csv", b"sep=;\n").unwrap_err().message().contains("found an empty file"));
}
