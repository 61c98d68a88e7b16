//! Files that a task rejects, or at least survives.

use super::{CAUSAL, MASKED};
use crate::error::Code;
use crate::text::task::*;

#[test]
fn files_of_the_wrong_form_are_refused() {
    for (task, head, name, text, parts) in [
        (
            "sst-2",
            MASKED,
            "a.tsv",
            "text_a\tlabel\nx\t1\n",
            &["row 2", "`sentence` or `text`", "`text_a`"][..],
        ),
        (
            "sst-2",
            MASKED,
            "a.tsv",
            "sentence\tlabel\nx\t7\n",
            &["row 2", "label", "negative, positive", "\"7\""],
        ),
        ("sst-2", MASKED, "a.tsv", "sentence\tlabel\nx\n", &["row 2", "`label`", "found 1"]),
        ("sst-2", MASKED, "a.txt", "a fine film\n", &["a.txt", ".tsv", "sst-2"]),
        ("sst-2", MASKED, "a.tsv", " \n", &["empty"]),
        (
            "sst-2",
            MASKED,
            "a.jsonl",
            "{\"sentence\":3,\"label\":1}",
            &["row 1", "`sentence`", "the number 3"],
        ),
        (
            "sst-2",
            MASKED,
            "a.jsonl",
            "{\"sentence\":\"a\"}",
            &["row 1", "`gold_label` or `label`", "`sentence`"],
        ),
        ("sst-2", MASKED, "a.jsonl", "nope\n", &["row 1", "JSON object"]),
        ("sst-2", MASKED, "a.json", "[1]", &["row 1", "the number 1"]),
        ("sst-5", MASKED, "a.txt", "(3 (2 open\n", &["row 1", "a tree such as"]),
        ("sst-5", MASKED, "a.txt", "(9 (2 a) (2 b))", &["row 1", "\"9\""]),
        ("trec", MASKED, "a.label", "no class here\n", &["row 1", "DESC:manner", "\"no class here\""]),
        ("trec", MASKED, "a.label", "XYZ:a b\n", &["row 1", "DESC, ENTY", "\"XYZ\""]),
        (
            "rte",
            CAUSAL,
            "a.jsonl",
            "{\"premise\":\"a\",\"label\":0}",
            &["row 1", "`sentence2`", "`hypothesis`"],
        ),
        (
            "multirc",
            CAUSAL,
            "a.jsonl",
            "{\"passage\":{\"text\":\"a\",\"questions\":[{\"q\":1}]}}",
            &["row 1", "`answers`"],
        ),
        (
            "multirc",
            CAUSAL,
            "a.jsonl",
            "{\"passage\":{\"questions\":[2]}}",
            &["row 1", "`passage.questions`", "the number 2"],
        ),
        (
            "copa",
            CAUSAL,
            "a.jsonl",
            "{\"premise\":\"a\",\"question\":\"cause\",\"choice1\":\"b\",\"label\":0}",
            &["`choice2`"],
        ),
        ("record", CAUSAL, "a.jsonl", "{\"passage\":\"a\",\"query\":\"b\"}", &["row 1", "@placeholder"]),
        (
            "record",
            CAUSAL,
            "a.jsonl",
            "{\"passage\":{\"text\":\"abc\",\"entities\":[{\"start\":2,\"end\":99}]},\"query\":\"@placeholder\",\"answers\":[]}",
            &["row 1", "within the passage"],
        ),
        (
            "record",
            CAUSAL,
            "a.jsonl",
            "{\"passage\":\"a\",\"query\":\"@placeholder\",\"entities\":[\"A\"],\"answers\":[\"B\"]}",
            &["row 1", "`answers`", "\"B\""],
        ),
        ("squad", CAUSAL, "a.json", "{\"data\":3}", &["`data`", "the number 3"]),
        (
            "squad",
            CAUSAL,
            "a.json",
            "{\"data\":[{\"title\":\"t\",\"paragraphs\":[{\"context\":\"c\",\"qas\":[{\"question\":\"q\",\"answers\":[]}]}]}]}",
            &["row 1", "`answers`", "at least one answer"],
        ),
        (
            "drop",
            CAUSAL,
            "a.json",
            "{\"p\":{\"passage\":\"a\",\"qa_pairs\":[{\"question\":\"q\"}]}}",
            &["row 1", "`answer`"],
        ),
    ] {
        let error = find(task).unwrap().read(head, name, text.as_bytes()).unwrap_err();
        assert_eq!(error.code(), Code::DataInvalid, "{error}");
        assert!(error.message().starts_with(name), "{error}");
        for part in parts {
            assert!(error.message().contains(part), "{:?} lacks {part:?}", error.message());
        }
    }
}

/// Files with missing, doubled or swapped bytes are read or rejected, and never cause a panic.
#[test]
fn malformed_files_never_panic() {
    let samples = [
        ("a.tsv", "sentence\tsentence1\tsentence2\tlabel\n\"é\ta\tb\t1\n"),
        ("a.csv", "4,\"é\n\"\n"),
        ("a.txt", "(3 (2 It) (4 (2 's) (4 é)))\n"),
        ("a.label", "DESC:manner How é ?\n"),
        (
            "a.jsonl",
            "{\"passage\":{\"text\":\"é b\",\"entities\":[{\"start\":0,\"end\":2}],\"questions\":[{\"question\":\"q\",\"answers\":[{\"text\":\"t\",\"label\":1}]}]},\
             \"qas\":[{\"query\":\"@placeholder\",\"answers\":[{\"start\":0,\"end\":0}]}],\"premise\":\"p.\",\"question\":\"?\",\"label\":true}\n",
        ),
        (
            "a.json",
            "{\"data\":[{\"title\":\"t\",\"paragraphs\":[{\"context\":\"c\",\"qas\":[{\"question\":\"q\",\"answers\":[{\"text\":\"é\"}]}]}]}]}",
        ),
        (
            "a.json",
            "{\"k\":{\"passage\":\"a\",\"qa_pairs\":[{\"question\":\"q\",\"answer\":{\"number\":1e400,\"spans\":[[]]}}]}}",
        ),
    ];
    let try_all = |name: &str, bytes: &[u8]| {
        for task in known::TASKS {
            for head in [MASKED, CAUSAL] {
                let _ = task.read(head, name, bytes);
            }
        }
    };
    for (name, text) in samples {
        let bytes = text.as_bytes();
        for at in 0..=bytes.len() {
            try_all(name, &bytes[..at]);
            try_all(name, &bytes[at..]);
            for byte in [0_u8, b'"', b'(', b'{', 0xff] {
                let mut torn = bytes.to_vec();
                torn.insert(at, byte);
                try_all(name, &torn);
            }
        }
    }
    for nested in ["[".repeat(100_000), "(1 ".repeat(100_000), "{\"data\":".repeat(50_000)] {
        for name in ["a.json", "a.txt", "a.csv"] {
            try_all(name, nested.as_bytes());
        }
    }
}
