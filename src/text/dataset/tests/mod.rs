use super::*;
use crate::error::Code;
use crate::text::rows::{Classified, Completion};

mod files;

fn rows(name: &str, text: &str) -> Vec<Classified> {
    match read(name, text.as_bytes()).unwrap().rows {
        Rows::Classified(rows) => rows,
        other => panic!("{other:?}"),
    }
}

/// The message of the error, which must be `data-invalid` and name the file.
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
    // As in GLUE, a quote is an ordinary character.
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
    for (value, found) in [("12", "the number 12"), ("true", "true")] {
        let says =
            format!("row 1, field `text`: expected a string, found {found}. Put it in quotation marks");
        assert!(refused("a.jsonl", format!(r#"{{"text":{value},"label":1}}"#)).contains(&says));
    }
}

/// A row without a second text among pairs would be read in another form than the rest.
#[test]
fn either_all_rows_are_pairs_or_none_is() {
    let single = r#"{"text":"a","label":1}"#;
    let pair = r#"{"text":"b","text_b":"c","label":2}"#;
    let empty = r#"{"text":"d","text_b":"","label":2}"#;
    assert_eq!(rows("a.jsonl", &[pair, empty].join("\n")).len(), 2);
    for text in [[pair, single], [single, pair], [empty, &single.replace('}', r#","text_b":null}"#)]] {
        let row = if text[1] == pair { 1 } else { 2 };
        let says =
            format!("row {row}, field `text_b`: expected a second text, because row {} has one", 3 - row);
        let message = refused("a.jsonl", text.join("\n"));
        assert!(message.contains(&says), "{message}");
    }
    let most = inspect("a.jsonl", [pair, single, pair].join("\n").as_bytes(), &Wanted::default()).unwrap();
    assert_eq!((most.dataset.len(), most.problems[0].row), (2, 2), "the other rows can be used");
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
    assert_eq!((rows.len(), rows[0].row), (1, 2));
    assert_eq!(
        serde_json::to_string(&rows[0].messages[1]).unwrap(),
        r#"{"role":"assistant","content":"Oh","more":1}"#
    );
    let other = read("a.jsonl", line.replace("Oh", "Ah").as_bytes()).unwrap();
    assert_ne!(d.fingerprint(), other.fingerprint());
    assert_eq!(read("b.json", format!("[{line}]").as_bytes()).unwrap().fingerprint(), d.fingerprint());
}

/// The rows of a file as JSON.
fn json(name: &str, text: &str) -> String {
    match read(name, text.as_bytes()).unwrap().rows {
        Rows::Chat(rows) => serde_json::to_string(&rows),
        Rows::Completion(rows) => serde_json::to_string(&rows),
        Rows::Classified(rows) => serde_json::to_string(&rows),
        other => panic!("{other:?}"),
    }
    .unwrap()
}

#[test]
fn every_field_of_a_conversation_is_kept_in_its_order() {
    let rows = r#"[{"messages":[{"role":"user","content":"a"},{"role":"assistant","z":[{"b":1,"a":1.5}],"content":"b","c":{"y":true,"x":[]}}],"enable":false,"tools":[{"name":"t","age":2}]}]"#;
    assert_eq!(json("a.json", rows), rows);
    // Null counts as absent in a message, and tools may be written as JSON.
    let odd = r#"{"messages":[{"role":"assistant","content":null,"tool_calls":[]}],"tools":"[{\"b\":1,\"a\":2}]","documents":null,"chat_template_kwargs":{"thinking":true}}"#;
    let expected =
        r#"[{"messages":[{"role":"assistant","tool_calls":[]}],"thinking":true,"tools":[{"b":1,"a":2}]}]"#;
    assert_eq!(json("a.jsonl", odd), expected);
    // What the template reads is part of the content.
    let print = |text: &str| read("a.json", text.as_bytes()).unwrap().fingerprint();
    let others = [
        rows.replace("1.5", "2.5"),
        rows.replace("\"b\":1,\"a\":1.5", "\"a\":1.5,\"b\":1"),
        rows.replace("false", "true"),
        rows.replace("\"age\":2", "\"age\":3"),
    ];
    others.iter().for_each(|other| assert_ne!(print(other), print(rows), "{other}"));
    let plain = r#"[{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}]"#;
    // Trajectory files store this value, so it must not change between releases.
    assert_eq!(print(plain), PLAIN_CHAT);
}

/// The fingerprint of a conversation without other fields.
const PLAIN_CHAT: u64 = 2_108_853_647_092_186_703;

#[test]
fn weights_of_answers_are_0_or_1() {
    for (weight, says) in [
        ("0.5", "row 1, field `messages`, message 1, `weight`: expected 0 or 1, found the number 0.5"),
        ("true", "`weight`: expected 0 or 1, found true"),
        ("0", "found only answers whose `weight` is 0"),
    ] {
        let row = format!(r#"{{"messages":[{{"role":"assistant","content":"b","weight":{weight}}}]}}"#);
        let error = read("a.jsonl", row.as_bytes()).unwrap_err();
        assert!(error.code() == Code::DataInvalid && error.message().contains(says), "{error}");
    }
    // The weight of another message says nothing, since only answers are learned.
    let row = r#"{"messages":[{"role":"user","content":"a","weight":0.5},{"role":"assistant","content":"b","weight":1}]}"#;
    assert!(read("a.jsonl", row.as_bytes()).is_ok());
}

#[test]
fn rows_in_the_layouts_of_other_projects() {
    let shared = r#"{"conversations":[{"from":"human","value":"a"},{"from":"function_call","value":"{\"name\":\"f\",\"arguments\":{}}"},{"from":"observation","value":"7"},{"from":"gpt","value":"b","weight":1}],"system":"s"}"#;
    let expected = r#"[{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":{}}}]},{"role":"tool","content":"7"},{"role":"assistant","content":"b","weight":1}]}]"#;
    assert_eq!(json("a.jsonl", shared), expected);
    let pair = r#"[{"prompt":[{"role":"assistant","content":"a"}],"completion":[{"role":"assistant","content":"b"}],"tools":[]}]"#;
    assert_eq!(json("a.json", pair), pair);
    let Rows::Chat(rows) = read("a.json", pair.as_bytes()).unwrap().rows else { panic!() };
    assert_eq!(rows[0].prompt, 1);
    let alpaca = "instruction,input,output,id\nAdd.,1 + 1,2,x\nSing.,,La,y\n";
    let expected = [
        ("### Instruction:\nAdd.\n\n### Input:\n1 + 1\n\n### Response:\n", "2"),
        ("### Instruction:\nSing.\n\n### Response:\n", "La"),
    ];
    let Rows::Completion(rows) = read("a.csv", alpaca.as_bytes()).unwrap().rows else { panic!() };
    let found: Vec<_> = rows.iter().map(|row| (row.prompt.as_str(), row.completion.as_str())).collect();
    assert_eq!(found, expected);
    let notes = inspect("a.csv", alpaca.as_bytes(), &Wanted::default()).unwrap().whole().unwrap().1.join(" ");
    assert!(notes.contains("Alpaca") && notes.contains("not read: \"id\""), "{notes}");
}

#[test]
fn json_in_any_form_is_read() {
    let expected = r#"[{"text":"a","label":"1"},{"text":"b","label":"2"}]"#;
    let [a, b] = [r#"{"text": "a", "label": 1}"#, r#"{"text": "b", "label": 2}"#];
    let [long_a, long_b] =
        [a, b].map(|row| row.replace(", ", ",\n  ").replace('{', "{\n  ").replace('}', "\n}"));
    for (name, text) in [
        ("a.jsonl", format!("[{a},\n{b}]")),
        ("a.json", format!("[\n{long_a},\n{long_b}\n]\n")),
        ("a.jsonl", format!("{long_a}\n{long_b}\n")),
        ("a.json", format!("{{\"version\": 1, \"data\": [{a}, {b}]}}")),
        ("a.json", format!("{{\n\"data\": [\n{long_a}, {b}]\n}}\n")),
        ("a.jsonlines", format!("{a}\n\n{b}")),
        ("63", format!("{a}\r\n{b}\r\n")),
        ("a.txt", format!("{a}\r{b}\r")),
        ("a.dat", format!("\u{feff}[{a}, {b}]")),
    ] {
        assert_eq!(json(name, &text), expected, "{text}");
    }
    let text = format!("\n{long_a}\n\n{long_b}\n");
    let Rows::Classified(rows) = read("a.json", text.as_bytes()).unwrap().rows else { panic!() };
    assert_eq!([rows[0].row, rows[1].row], [2, 7]);
    // JSON without known fields in a text file remains text.
    assert!(matches!(read("a.txt", b"{\"a\": 1}").unwrap().rows, Rows::Plain(_)));
}

#[test]
fn rows_of_the_only_column_are_texts_of_their_own() {
    let texts = |reading: &Reading| match &reading.dataset.rows {
        Rows::Plain(texts) => texts.clone(),
        other => panic!("{other:?}"),
    };
    let wanted = ["Ahoy, friend!", "Two\nlines", "He said \"no\"."];
    let quoted = "\"Ahoy, friend!\"\r\n\"Two\nlines\"\r\n\"He said \"\"no\"\".\"\r\n";
    let json = wanted.map(|text| format!("{{\"text\":{}}}", serde_json::json!(text))).join("\n");
    // With a known name, training accepts the rows without asking.
    for (name, text) in [
        ("a.csv", format!("Text\n{quoted}")),
        ("a.tsv", format!("message\n{quoted}")),
        ("a.jsonl", json.clone()),
        ("a.txt", json.clone()),
        ("a.json", format!("[{}]", json.replace('\n', ","))),
    ] {
        assert_eq!(
            read(name, text.as_bytes()).unwrap().rows,
            Rows::Plain(wanted.map(str::to_owned).to_vec()),
            "{name}"
        );
    }
    // With another name or none, the result says how the rows were interpreted.
    for (name, text, header, column) in [
        ("a.csv", format!("Reply\n{quoted}{quoted}"), true, "Reply"),
        ("a.csv", quoted.to_owned(), false, "column 1"),
        ("a.tsv", quoted.replace("\"Two\nlines\"", "Two lines"), false, "column 1"),
        // A short first text is not a column name if it is a sentence.
        ("a.csv", "\"Ahoy, friend!\"\n\"Where have I been? At sea!\"".to_owned(), false, "column 1"),
        ("a.jsonl", json.replace("\"text\"", "\"reply\""), false, "reply"),
    ] {
        let reading = inspect(name, text.as_bytes(), &Wanted::default()).unwrap();
        let layout = reading.layout.clone().unwrap();
        assert_eq!(
            (layout.header, layout.columns[0].name.as_str(), layout.columns.len()),
            (header, column, 1),
            "{name}"
        );
        assert_eq!((layout.certainty, layout.text, layout.label), (Certainty::Likely, Some(0), None));
        assert_eq!(texts(&reading)[0], "Ahoy, friend!");
        assert!(reading.whole().is_ok());
    }
    // A comma outside quotation marks does not divide a line, and rows without text are left out.
    let plain = inspect("a.csv", b"text\nAhoy, friend!\n\" \"\nYes\n", &Wanted::default()).unwrap();
    assert_eq!(
        (texts(&plain), plain.problems.len()),
        (vec!["Ahoy, friend!".to_owned(), "Yes".to_owned()], 1)
    );
    // If labels are wanted, their absence is an error.
    let labeled = Wanted { labeled: true, ..Wanted::default() };
    let reading = inspect("a.csv", format!("text\n{quoted}").as_bytes(), &labeled).unwrap();
    assert_eq!((texts(&reading).len(), reading.layout.as_ref().unwrap().certainty), (3, Certainty::Unsure));
    let error = reading.whole().unwrap_err();
    assert!(error.message().contains("`label`") && error.message().contains("found only texts"), "{error}");
    // Columns that only have other fields are not texts.
    for (name, text) in
        [("a.csv", "label\nx\ny\n"), ("a.csv", "just a line\n"), ("a.jsonl", "{\"prompt\":\"a\"}\n")]
    {
        refused(name, text);
    }
}

#[test]
fn what_a_file_was_taken_as_is_said() {
    let notes = |name: &str, bytes: &[u8], wanted: &Wanted| {
        inspect(name, bytes, wanted).unwrap().whole().unwrap().1.join(" ")
    };
    let csv: &[u8] = b"text,label\na,x\nb,y\n";
    let jsonl: &[u8] = b"{\"text\":\"a\",\"label\":\"x\"}\n";
    let any = Wanted::default();
    assert_eq!(notes("a.csv", csv, &any), "");
    assert!(notes("pipe", csv, &any).contains("read as CSV, judging by its content"));
    assert!(notes("63", jsonl, &any).contains("read as JSONL"));
    assert!(notes("a.txt", jsonl, &any).contains("read as JSONL"));
    assert!(notes("63", b"Once upon a time", &any).contains("read as plain text"));
    assert!(notes("a.csv", b"text,label\ra,x\rb,y\r", &any).contains("carriage returns"));
    assert!(notes("a.csv", b"text,label\nf\xfcr,x\n", &any).contains("Windows-1252"));
    // An option overrides everything else.
    let told = |format| Wanted { format: Some(format), ..Wanted::default() };
    assert_eq!(notes("63", csv, &told(Format::Csv)), "");
    assert!(inspect("a.csv", jsonl, &told(Format::Jsonl)).unwrap().problems.is_empty());
    let plain = inspect("a.jsonl", jsonl, &told(Format::Txt)).unwrap();
    assert!(matches!(plain.dataset.rows, Rows::Plain(_)) && plain.notes.is_empty());
    assert!(inspect("a.txt", b"text\tlabel\na\tx\n", &told(Format::Tsv)).unwrap().problems.is_empty());
    // Other kinds of files are named in the error.
    for (bytes, part) in [
        (&b"\x1f\x8b\x08\0"[..], "gzip: unpack it first"),
        (b"PK\x03\x04\x14", ".xlsx: unpack it, or save the sheet as CSV"),
        (b"PAR1\x15", "Parquet file: convert it"),
        (b"\xff\xfe\0\0t\0\0\0", "UTF-32: save it as UTF-8"),
    ] {
        for name in ["a.csv", "a.jsonl", "a.bin", "a.txt"] {
            assert!(refused(name, bytes).contains(part));
        }
    }
}

#[test]
fn quotes_over_several_lines_are_texts_where_they_can_be() {
    for text in [
        "label,text\nx,\"Well, yes.\nBut, no.\"\ny,b\n",
        "text,label\n\"Well, I\nlike it\",x\nb,y\n",
        "text,label\n\"one\n\ntwo\",x\nb,y\n",
        "text,label\n\"a \"\"quoted\"\" word, and\nmore\",x\nb,y\n",
        "text,label\nsay \"hi,x\nb\",y\n",
    ] {
        assert_eq!(rows("a.csv", text).len(), 2, "{text}");
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
    // Trajectory files store this value, so it must not change between releases.
    assert_eq!(csv, 144_570_385_755_322_967);
}

/// A person who pastes a few lines with labels has forgotten one.
#[test]
fn of_a_few_lines_one_may_lack_its_label() {
    let lines = [
        "Versand: Wann kommt meine Sendung an?",
        "Rückgabe: Ich will den Pullover zurückgeben",
        "Versand: Die Sendung ist noch nicht da",
        "Wo ist meine Bestellung geblieben",
        "Rückgabe: Die Hose steht mir nicht",
        "Versand: Der Kurier war nicht da",
        "Rückgabe: Bekomme ich mein Geld wieder?",
        "Versand: Wie lange dauert es noch?",
    ];
    let labeled = Wanted { labeled: true, ..Wanted::default() };
    let reading = inspect("pasted.txt", lines.join("\n").as_bytes(), &labeled).unwrap();
    assert_eq!((reading.dataset.len(), reading.problems.len()), (7, 1), "{:?}", reading.problems);
    assert!(matches!(&reading.dataset.rows, Rows::Classified(rows) if rows[0].label == "Versand"));
    // Lines that lack a label more often are texts.
    let half: Vec<&str> =
        lines.iter().enumerate().map(|(i, line)| if i % 2 == 0 { *line } else { &line[10..] }).collect();
    let reading = inspect("pasted.txt", half.join("\n").as_bytes(), &labeled).unwrap();
    assert!(
        !matches!(&reading.dataset.rows, Rows::Classified(rows) if rows.iter().any(|row| row.label == "Versand"))
    );
}

#[test]
fn a_key_that_only_later_rows_have_is_listed_as_unread() {
    let rows = "{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"b\",\"label\":\"y\",\"sentence2\":\"c\"}\n";
    let reading = inspect("x.jsonl", rows.as_bytes(), &Wanted::default()).unwrap();
    assert_eq!(reading.notes, [Note::Unread { columns: vec!["sentence2".to_owned()] }]);
}

#[test]
fn a_column_that_is_there_twice_is_refused() {
    let message = refused("a.json", r#"{"text":["a","b"],"text":["c","d"],"label":["x","y"]}"#);
    assert!(message.contains("the field `text` twice"), "{message}");
}
