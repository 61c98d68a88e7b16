use super::*;
use crate::error::Code;

/// The template among files.
fn of_files(files: &[(&str, Option<&str>)]) -> Result<Option<ChatTemplate>> {
    let known = files.iter().filter_map(|(name, text)| Some(((*name).to_owned(), (*text)?.into())));
    ChatTemplate::from_files(&known.collect())
}

#[test]
fn chat_templates_are_found_in_their_files() {
    let render = |jinja: Option<&str>, config: Option<&str>| -> Result<Option<String>> {
        let template = of_files(&[("chat_template.jinja", jinja), ("tokenizer_config.json", config)])?;
        let turns = [Message::new("user", "x")];
        template.map(|t| t.render(&turns, &Variables::new(), true)).transpose()
    };
    assert_eq!(render(None, None).unwrap(), None);
    assert_eq!(render(None, Some("{}")).unwrap(), None);
    assert_eq!(render(None, Some(r#"{"chat_template":null}"#)).unwrap(), None);
    let config = r#"{"model_max_length":Infinity,"bos_token":"<s>","eos_token":{"content":"</s>"},"chat_template":"{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ unk_token }}"}"#;
    assert_eq!(render(None, Some(config)).unwrap().unwrap(), "<s>x</s>");
    assert_eq!(render(Some("{{ bos_token }}file"), Some(config)).unwrap().unwrap(), "<s>file");
    let named = r#"{"chat_template":[{"name":"tool_use","template":"a"},{"name":"default","template":"b"}]}"#;
    assert_eq!(render(None, Some(named)).unwrap().unwrap(), "b");
    // The map takes precedence, except over a table of all added tokens. A class has its own tokens.
    let token = |config: &str, map: &str| {
        let files = [
            ("chat_template.jinja", Some("{{ bos_token }}")),
            ("tokenizer_config.json", Some(config)),
            ("special_tokens_map.json", Some(map)),
        ];
        of_files(&files).unwrap().unwrap().render(&[], &Variables::new(), false).unwrap()
    };
    let map = r#"{"bos_token":{"content":"<m>"}}"#;
    assert_eq!(token("{}", map), "<m>");
    assert_eq!(token(r#"{"bos_token":"<c>"}"#, map), "<m>");
    assert_eq!(token(r#"{"bos_token":"<c>","added_tokens_decoder":{}}"#, map), "<c>");
    assert_eq!(token(r#"{"tokenizer_class":"LlamaTokenizerFast"}"#, "{}"), "<s>");
    assert_eq!(token(r#"{"tokenizer_class":"LlamaTokenizer","bos_token":null}"#, "{}"), "");
    for bad in ["{", r#"{"chat_template":3}"#, r#"{"chat_template":[{"name":"rag","template":"a"}]}"#] {
        assert_eq!(render(None, Some(bad)).unwrap_err().code(), Code::FileCorrupt, "{bad}");
    }
    let damaged = [("chat_template.jinja".to_owned(), b"\xff".to_vec())].into();
    let error = ChatTemplate::from_files(&damaged).unwrap_err();
    assert!(error.message().contains("chat_template.jinja"), "{error}");
}

#[test]
fn a_fault_of_a_template_is_told_with_its_line() {
    let render = |source: &str| {
        let turns = [Message::new("user", "x")];
        ChatTemplate::new("a.jinja", source, Vec::new())?.render(&turns, &Variables::new(), true)
    };
    for (source, parts) in [
        ("{{ 1 }}\n{% for %}", &["a.jinja, line 2: ", "syntax"][..]),
        ("\n\n{{ messages | nothing }}", &["a.jinja, line 3: ", "filter nothing is unknown"]),
        ("\n{{ messages[0].content.nothing() }}", &["a.jinja, line 2: ", "nothing"]),
        ("\n{{ nothing() }}", &["a.jinja, line 2: ", "nothing"]),
        ("\n\n\n{{ messages[7].role.x }}", &["a.jinja, line 4: "]),
        ("{{ messages }}\n{{ 'a' + 1 }}", &["a.jinja, line 2: "]),
        ("\r\n{{ strftime_now('%d %Q') }}", &["a.jinja, line 2: ", "\"%Q\""]),
        ("\n{% macro m() %}\n{{ nothing() }}\n{% endmacro %}\n{{ m() }}", &["a.jinja, line 3: "]),
        ("\n{{ '\\N{DOT}' }}", &["a.jinja: ", "named characters"]),
        ("\n{%}", &["a.jinja, line 2: "]),
    ] {
        let error = render(source).unwrap_err();
        assert_eq!(error.code(), Code::ModelUnsupported, "{error}");
        assert!(!error.message().contains("rejects"), "{error}");
        for part in parts {
            assert!(error.message().contains(part), "{source:?}: {error}");
        }
    }
    let refused =
        render("\n{% macro m() %}{{ raise_exception('not ' ~ 1) }}{% endmacro %}{{ m() }}").unwrap_err();
    assert_eq!(refused.code(), Code::DataInvalid);
    assert!(
        refused.message().ends_with("the chat template of a.jinja rejects the conversation: not 1"),
        "{refused}"
    );
}

#[test]
fn fields_that_no_template_reads_are_named() {
    let template = "{{ messages[0].content }}{% if tools %}{% endif %}{{ messages[0].role }}";
    let template = ChatTemplate::new("a.jinja", template, Vec::new()).unwrap();
    let row = r#"{"messages":[{"role":"user","content":"x","name":"n","tool":1,"weight":0}],"tools":[],"id":7,"content_id":8}"#;
    assert_eq!(template.unread(&Conversation::from_json(row).unwrap()), ["content_id", "id", "name", "tool"]);
}

#[test]
fn numbers_keep_their_digits() {
    let row = r#"{"messages":[{"role":"user","content":"x"}],"n":[999032494.9991515,759305.75244140625,0.1,1e-7,-0.0,12345678901234567890,123456789012345678901234567890,1.0,-3]}"#;
    let row = Conversation::from_json(row).unwrap();
    let template = ChatTemplate::new("a.jinja", "{{ n | tojson }}", Vec::new()).unwrap();
    let expected = "[999032494.9991515, 759305.7524414062, 0.1, 1e-07, -0.0, 12345678901234567890, 123456789012345678901234567890, 1.0, -3]";
    assert_eq!(template.render(&row.messages, &row.variables, false).unwrap(), expected);
    for beyond in ["1e999", &"9".repeat(40)] {
        let row = format!(r#"{{"messages":[],"n":{beyond}}}"#);
        assert!(Conversation::from_json(&row).unwrap_err().message().contains(beyond));
    }
}
