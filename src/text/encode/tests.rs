use super::*;
use crate::error::{Code, Result};
use crate::text::chat::{ChatTemplate, Conversation, Message};
use crate::text::rows::{Classified, Completion};
use crate::text::template::Template;
use crate::text::tokenizer::Tokenizer;
use crate::text::tokenizer::tests::{bert, gpt};

fn spell(t: &Tokenizer, ids: &[u32]) -> String {
    ids.iter().map(|&id| t.id_to_token(id).unwrap()).collect::<Vec<_>>().join(" ")
}

fn row(text: &str, text_b: Option<&str>, label: &str) -> Classified {
    Classified { text: text.into(), text_b: text_b.map(Into::into), label: label.into(), row: 9 }
}

fn labels(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| w.to_string()).collect()
}

fn encoder<'t>(
    t: &'t Tokenizer,
    template: &str,
    words: &[&str],
    max_len: usize,
) -> Result<ClassificationEncoder<'t>> {
    let mask = t.mask().map(|(spelling, _)| spelling);
    let head = if mask.is_some() { HeadKind::MaskedLm } else { HeadKind::CausalLm };
    let template = Template::parse(template, mask.as_deref())?;
    let found = LabelWords::find(t, head, &template, &labels(words))?;
    ClassificationEncoder::new(t, template, found, head, max_len)
}

#[test]
fn a_masked_prompt_has_its_target_at_the_mask() {
    let t = bert();
    let e = encoder(&t, "{text} It was [MASK] .", &["terrible", "great"], 64).unwrap();
    let example = e.encode(&row("A good movie", None, "Great")).unwrap();
    assert_eq!(spell(&t, &example.ids), "[CLS] a good movie it was [MASK] . [SEP]");
    assert_eq!(example.ids, t.encode("A good movie It was [MASK] .", true).unwrap());
    assert_eq!(example.targets, [Target { position: 6, label: 1 }]);
    assert_eq!(e.labels().ids, [t.token_to_id("terrible").unwrap(), t.token_to_id("great").unwrap()]);
}

#[test]
fn a_mask_in_the_text_stays_text() {
    let t = bert();
    let e = encoder(&t, "{text} [MASK] {text_b}", &["a", "b"], 64).unwrap();
    let example = e.encode(&row("[MASK]", Some("[mask] [MASK][MASK]"), "0")).unwrap();
    assert_eq!(spell(&t, &example.ids), "[CLS] [ mask ] [MASK] [ mask ] [ mask ] [ mask ] [SEP]");
    assert_eq!(example.targets, [Target { position: 4, label: 0 }]);
    // If the template's own letters would complete the mask, the row is an error.
    let e = encoder(&t, "[{text}] [MASK]", &["a", "b"], 64).unwrap();
    let error = e.encode(&row("MASK", None, "0")).unwrap_err();
    assert!(error.code() == Code::DataInvalid && error.message().contains("row 9"), "{error}");
}

#[test]
fn long_texts_lose_tokens_before_the_template_does() {
    let t = bert();
    let long = "a b ".repeat(50);
    for max in 9..40 {
        let e = encoder(&t, "{text} ? [MASK] , {text_b} .", &["good", "great"], max).unwrap();
        let example = e.encode(&row(&long, Some("the movie was good"), "good")).unwrap();
        assert_eq!(example.ids.len(), max);
        let spelled = spell(&t, &example.ids);
        assert!(spelled.starts_with("[CLS] ") && spelled.ends_with(" . [SEP]"), "{spelled}");
        let kept = max.saturating_sub(10);
        assert_eq!(example.targets[0].position as usize, 1 + kept + 1);
        assert_eq!(example.ids[1 + kept + 1], 4);
        assert_eq!(spelled.contains("the movie was good"), max >= 10, "{spelled}");
    }
    // The template alone has 6 tokens.
    assert!(encoder(&t, "{text} ? [MASK] , {text_b} .", &["good", "great"], 6).is_ok());
    let e = encoder(&t, "{text} ? [MASK] , {text_b} .", &["good", "great"], 5).unwrap_err();
    assert_eq!(e.code(), Code::InvalidArgument);
    // If a text occurs twice, both occurrences are shortened evenly.
    let e = encoder(&t, "{text} . {text} [MASK]", &["good", "great"], 10).unwrap();
    let ids = e.encode(&row("a a a a a a", None, "0")).unwrap().ids;
    assert_eq!(spell(&t, &ids), "[CLS] a a a . a a a [MASK] [SEP]");
}

#[test]
fn a_causal_prompt_has_its_target_at_its_end() {
    for (bos, eos) in [(false, false), (true, false), (true, true)] {
        let t = gpt(bos, eos);
        let e = encoder(&t, "{text} it was", &["great", "bad"], 64).unwrap();
        let example = e.encode(&row("No", None, "bad")).unwrap();
        let expected = if bos { "<|bos|> No Ġ it Ġwas" } else { "No Ġ it Ġwas" };
        assert_eq!(spell(&t, &example.ids), expected);
        assert_eq!(example.targets, [Target { position: example.ids.len() as u32 - 1, label: 1 }]);
        assert_eq!(e.labels().ids[0], t.token_to_id("Ġgreat").unwrap());
        let line = encoder(&t, "{text}?\n", &["great", "bad"], 64).unwrap();
        assert_eq!(line.labels().ids[0], t.token_to_id("great").unwrap());
        // The token of the first word begins with the template's space, but belongs to the text.
        let short =
            encoder(&t, "it {text} was", &["great", "bad"], 4 + usize::from(bos) + usize::from(eos)).unwrap();
        let ids = short.encode(&row("great great great great", None, "0")).unwrap().ids;
        assert!(spell(&t, &ids).ends_with("it Ġgreat Ġgreat Ġwas") || eos, "{}", spell(&t, &ids));
    }
}

#[test]
fn label_words_must_be_tokens_of_their_own() {
    let t = bert();
    let template = "{text} [MASK]";
    let message = |words: &[&str]| encoder(&t, template, words, 64).unwrap_err().to_string();
    assert!(message(&["great", "nope"]).contains("\"nope\""));
    assert!(message(&["great", "goods"]).contains("good, ##s"));
    assert!(message(&["1=great", "0:Great"]).contains("of its own"));
    assert!(message(&["great", "Great"]).contains("twice"));
    assert!(message(&["great", " "]).contains("empty"));
    assert!(message(&["great"]).contains("at least two"));
    assert!(message(&[]).contains("at least two"));
    for (template, code) in [("{text}", Code::InvalidArgument), ("[MASK]", Code::InvalidArgument)] {
        assert_eq!(encoder(&t, template, &["a", "b"], 64).unwrap_err().code(), code);
    }
    let causal = Template::parse("{text} [MASK]", None).unwrap();
    let e = LabelWords::find(&gpt(false, false), HeadKind::CausalLm, &causal, &labels(&["great", "bad"]));
    assert_eq!(e.unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn rows_name_labels_by_name_word_or_index() {
    let t = bert();
    let e = encoder(&t, "{text} [MASK]", &["spam:terrible", "ham = good", "."], 64).unwrap();
    let found = |label: &str| e.encode(&row("a", None, label)).map(|x| x.targets[0].label);
    for (label, index) in [("spam", 0), ("HAM", 1), ("Terrible", 0), ("good", 1), (".", 2)] {
        assert_eq!(found(label).unwrap(), index, "{label}");
    }
    // Labels with names cannot be given by index.
    for unknown in ["0", "2", "3", "-1", "eggs", "1.5", ""] {
        let e = found(unknown).unwrap_err();
        assert_eq!(e.code(), Code::DataInvalid);
        for part in ["row 9", "`label`", "spam, ham, .", unknown] {
            assert!(e.message().contains(part), "{e}");
        }
        assert!(!e.message().contains("index"), "{e}");
    }
    // Words without names can, unless a word is a number.
    let e = encoder(&t, "{text} [MASK]", &["terrible", "good"], 64).unwrap();
    assert_eq!(e.encode(&row("a", None, " 1 ")).unwrap().targets[0].label, 1);
    let error = e.encode(&row("a", None, "2")).unwrap_err();
    assert!(error.message().contains("an index below 2"), "{error}");
    // A number is a name if it was given as one.
    let e = encoder(&t, "{text} [MASK]", &["1:terrible", "0:good"], 64).unwrap();
    assert_eq!(e.encode(&row("a", None, "0")).unwrap().targets[0].label, 1);
    let e = encoder(&t, "{text} [MASK]", &["2:terrible", "3:good"], 64).unwrap();
    for unknown in ["0", "1"] {
        assert!(e.encode(&row("a", None, unknown)).is_err());
    }
}

fn completion(prompt: &str, completion: &str) -> Completion {
    Completion { prompt: prompt.into(), completion: completion.into(), row: 9 }
}

/// Each target as `token -> next`.
fn arrows(t: &Tokenizer, e: &Example) -> Vec<String> {
    e.targets.iter().map(|x| spell(t, &[e.ids[x.position as usize], x.label])).collect()
}

#[test]
fn only_the_completion_is_scored() {
    let t = gpt(true, true);
    let e = CompletionEncoder::new(&t, 64).unwrap().encode(&completion("it was", " great bad")).unwrap();
    assert_eq!(spell(&t, &e.ids), "<|bos|> it Ġwas Ġgreat Ġbad");
    assert_eq!(arrows(&t, &e), ["Ġwas Ġgreat", "Ġgreat Ġbad", "Ġbad <|end|>"]);
    // The completion contains the end-of-text token itself, and the prompt is empty.
    let e = CompletionEncoder::new(&t, 64).unwrap().encode(&completion("", "great<|end|>")).unwrap();
    assert_eq!(arrows(&t, &e), ["<|bos|> great", "great <|end|>"]);
    let bare = gpt(false, false);
    let e = CompletionEncoder::new(&bare, 64).unwrap().encode(&completion("", "great bad")).unwrap();
    assert_eq!(arrows(&bare, &e), ["great Ġbad", "Ġbad <|end|>"]);
    // If tokens would merge across the border, the prompt keeps its own tokens.
    let e = CompletionEncoder::new(&bare, 64).unwrap().encode(&completion("gr", "eat")).unwrap();
    assert_eq!(spell(&bare, &e.ids), "gr ea t");
}

#[test]
fn long_prompts_lose_their_start() {
    let t = gpt(true, false);
    let row = completion(&"great ".repeat(30), "bad bad");
    for max in 4..40 {
        let e = CompletionEncoder::new(&t, max).unwrap().encode(&row).unwrap();
        assert!(e.ids.len() <= max);
        assert_eq!(e.ids[0], 1, "bos stays");
        assert_eq!(e.targets.len(), 3);
        for x in &e.targets[..2] {
            assert_eq!(e.ids[x.position as usize + 1], x.label);
        }
    }
    let e = CompletionEncoder::new(&t, 2).unwrap().encode(&row).unwrap_err();
    assert!(
        e.code() == Code::DataInvalid && e.message().contains("row 9, ") | e.message().contains("row 9: "),
        "{e}"
    );
    assert_eq!(CompletionEncoder::new(&t, 1).unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn windows_score_every_token_once() {
    let t = gpt(true, false);
    let text = "it was great bad 12 ".repeat(7);
    let stream = t.encode(&text, true).unwrap();
    for context in 1..=stream.len() + 1 {
        let windows = PlainEncoder::new(&t, context).unwrap().encode(&text, false).unwrap();
        let labels: Vec<u32> = windows.iter().flat_map(|w| w.targets.iter().map(|x| x.label)).collect();
        let ids: Vec<u32> = windows.iter().flat_map(|w| w.ids.iter().copied()).collect();
        assert_eq!(labels, stream[1..]);
        assert_eq!(ids, stream[..stream.len() - 1]);
        assert!(
            windows
                .iter()
                .all(|w| !w.ids.is_empty() && w.ids.len() <= context && w.targets.len() == w.ids.len())
        );
        let ended = PlainEncoder::new(&t, context).unwrap().encode(&text, true).unwrap();
        let last = ended.last().and_then(|w| w.targets.last()).map(|x| x.label);
        assert_eq!(last, t.eos().or(stream.last().copied()));
    }
    let bare = gpt(false, false);
    assert!(PlainEncoder::new(&bare, 8).unwrap().encode("a", false).is_err());
    assert!(PlainEncoder::new(&bare, 0).is_err());
}

const TURNS: &str = "{% for m in messages %}<|bos|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|bos|>assistant\n{% endif %}";

fn conversation(turns: &[(&str, &str)]) -> Conversation {
    let messages = turns.iter().map(|(role, content)| Message::new(role, content)).collect();
    Conversation { messages, row: 9, ..Conversation::default() }
}

fn chat(t: &Tokenizer, template: &str, max: usize, turns: &[(&str, &str)]) -> Result<Vec<Example>> {
    let template = ChatTemplate::new("a.jinja", template, Vec::new())?;
    ChatEncoder::new(t, &template, max)?.encode(&conversation(turns))
}

#[test]
fn only_the_assistants_turns_are_scored() {
    let t = gpt(true, true);
    let turns =
        [("user", "it was"), ("assistant", "great"), ("user", "No"), ("assistant", "bad it"), ("user", "so")];
    let examples = chat(&t, TURNS, 99, &turns).unwrap();
    assert_eq!(examples.len(), 1);
    let answers = ["great", "<|end|>", "bad", "Ġ", "it", "<|end|>"];
    let labels: Vec<String> = examples[0].targets.iter().map(|x| spell(&t, &[x.label])).collect();
    assert_eq!(labels, answers);
    // The line end after the end-of-turn token belongs to the template, and the template's bos replaces
    // the tokenizer's.
    assert_eq!(arrows(&t, &examples[0])[..2], ["Ċ great", "great <|end|>"]);
    assert_eq!(examples[0].ids.iter().filter(|id| **id == 1).count(), 4);
    let whole = t.encode("<|bos|>user\nit was<|end|>\n<|bos|>assistant\ngreat<|end|>", false).unwrap();
    assert_eq!(examples[0].ids[..whole.len()], whole);

    // The example is truncated at the end, and the label of the last target may be beyond it.
    let first = examples[0].targets[1].position as usize;
    let truncated = chat(&t, TURNS, first + 1, &turns).unwrap();
    assert_eq!((truncated[0].ids.len(), truncated[0].targets.len()), (first + 1, 2));
    let error = chat(&t, TURNS, 5, &turns).unwrap_err();
    assert!(error.code() == Code::DataInvalid && error.message().contains("row 9: "), "{error}");
    assert!(error.message().contains("first 5 tokens"), "{error}");
    assert!(chat(&t, TURNS, 1, &turns).is_err());
}

/// OpenAI's layout: an answer with the weight 0 is only read.
#[test]
fn answers_without_weight_are_not_scored() {
    let t = gpt(true, true);
    let learned = |messages: &str| {
        let template = ChatTemplate::new("a.jinja", TURNS, Vec::new()).unwrap();
        let conversation = Conversation::from_json(messages).unwrap();
        let examples = ChatEncoder::new(&t, &template, 99).unwrap().encode(&conversation)?;
        assert_eq!(examples.len(), 1);
        Ok::<_, crate::error::Error>(
            examples[0].targets.iter().map(|x| spell(&t, &[x.label])).collect::<Vec<_>>().join(" "),
        )
    };
    let with = |first: &str, second: &str| {
        learned(&format!(
            r#"[{{"role":"user","content":"No","weight":0}},{{"role":"assistant","content":"great"{first}}},
                {{"role":"user","content":"so"}},{{"role":"assistant","content":"bad"{second}}}]"#
        ))
    };
    assert_eq!(with("", "").unwrap(), "great <|end|> bad <|end|>");
    assert_eq!(with(r#","weight":1"#, r#","weight":null"#).unwrap(), "great <|end|> bad <|end|>");
    assert_eq!(with(r#","weight":0"#, r#","weight":1"#).unwrap(), "bad <|end|>");
    assert_eq!(with("", r#","weight":0.0"#).unwrap(), "great <|end|>");
    assert_eq!(with(r#","weight":0"#, r#","weight":0"#).unwrap_err().code(), Code::DataInvalid);
}

#[test]
fn turns_that_are_rewritten_later_are_examples_of_their_own() {
    let t = gpt(false, false);
    // The template renders the last answer differently from earlier ones.
    let forgetful =
        TURNS.replace("{{ m.content }}", "{{ m.content if loop.last or m.role == 'user' else 'bad' }}");
    let turns = [("user", "it"), ("assistant", "great"), ("user", "No"), ("assistant", "great it")];
    let examples = chat(&t, &forgetful, 99, &turns).unwrap();
    let texts: Vec<String> = examples
        .iter()
        .map(|e| e.targets.iter().map(|x| spell(&t, &[x.label])).collect::<Vec<_>>().join("|"))
        .collect();
    assert_eq!(texts, ["great|<|end|>", "great|Ġ|it|<|end|>"]);
    assert!(spell(&t, &examples[1].ids).contains("b") && !spell(&t, &examples[0].ids).contains("bad"));
}

#[test]
fn templates_that_cannot_be_told_apart_are_refused() {
    let t = gpt(false, false);
    let turns = [("user", "it"), ("assistant", "great")];
    let counting = format!("{{{{ messages | length }}}}{TURNS}");
    let error = chat(&t, &counting, 99, &turns).unwrap_err();
    assert_eq!(error.code(), Code::ModelUnsupported);
    for part in ["row 9", "message 2", "prompt and completion"] {
        assert!(error.message().contains(part), "{error}");
    }
    assert_eq!(chat(&t, TURNS, 99, &[("user", "it")]).unwrap_err().code(), Code::DataInvalid);
    let refusing = chat(&t, "{{ raise_exception('not like this') }}", 99, &turns).unwrap_err();
    assert!(
        refusing.message().contains("a.jinja") && refusing.message().contains("not like this"),
        "{refusing}"
    );
    // Invalid templates, and those that would run forever, end with an error.
    for (bad, code) in [
        ("{% for %}", Code::ModelUnsupported),
        ("{{ nothing() }}", Code::ModelUnsupported),
        (
            "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
            Code::ModelUnsupported,
        ),
        ("{% include 'x' %}", Code::ModelUnsupported),
    ] {
        assert_eq!(chat(&t, bad, 99, &turns).unwrap_err().code(), code, "{bad}");
    }
}

#[test]
fn no_chat_template_exhausts_what_there_is() {
    let t = gpt(false, false);
    let turns = [("user", "it"), ("assistant", "great")];
    for greedy in [
        "{{ 'x' * 1000000000000 }}".to_owned(),
        "{{ ('x' * 100000) * 100000 }}".to_owned(),
        "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}".to_owned(),
        "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}".to_owned(),
        "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s.replace('a', ns.s) %}{% endfor %}{{ ns.s }}".to_owned(),
        "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s | replace('a', ns.s) %}{% endfor %}{{ ns.s }}".to_owned(),
        "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] | join(ns.s) %}{% endfor %}{{ ns.s }}".to_owned(),
        "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s.join([ns.s, ns.s]) %}{% endfor %}{{ ns.s }}".to_owned(),
        "{{ range(100000000000) | list }}".to_owned(),
        "{{ '%999999999999d' | format(1) }}".to_owned(),
        "{{ '{:>999999999999}'.format(1) }}".to_owned(),
        "{{ 'a' | indent(1000000000000, true) }}".to_owned(),
        "{{ [1] | tojson(indent=100000000000) }}".to_owned(),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
        format!("{{{{ {}1 }}}}", "(".repeat(200_000)),
        "{% if true %}".repeat(200_000),
        format!("{{{{ {}1 }}}}", "not ".repeat(200_000)),
        format!("{{{{ {{'a': {{}}}} == {}1 }}}}", "not ".repeat(200_000)),
        format!("{{{{ {}1 }}}}", "1 + ".repeat(200_000)),
        format!("{{{{ a{} }}}}", ".a".repeat(200_000)),
        format!("{{{{ a{} }}}}", "|trim".repeat(200_000)),
    ] {
        assert!(chat(&t, &greedy, 99, &turns).is_err(), "{}", &greedy[..greedy.len().min(100)]);
    }
    // This tag has the maximum length.
    for chain in ["not ", "- ", "1 + ", "a.", "(", "[", "{1:", "1|abs|", "1 if a else ", "x is not ", "a("] {
        let _ = chat(&t, &format!("{{{{ {}1 }}}}", chain.repeat(1480 / chain.len())), 99, &turns);
    }
}

#[test]
fn texts_and_pairs_are_encoded_as_they_are() {
    let t = bert();
    let plain = |text: &str, text_b: Option<&str>, most: usize| {
        let example = TextEncoder::new(&t, HeadKind::MaskedLm, most)?.encode(text, text_b)?;
        Ok::<_, crate::error::Error>(spell(&t, &example.ids))
    };
    assert_eq!(plain("A good movie", None, 64).unwrap(), "[CLS] a good movie [SEP]");
    assert_eq!(plain("good", Some("a movie"), 64).unwrap(), "[CLS] good [SEP] a movie [SEP]");
    // The ends are cut off: for a pair, first that of the longer text, then both.
    assert_eq!(plain("a good movie", None, 4).unwrap(), "[CLS] a good [SEP]");
    assert_eq!(plain("a good movie a good movie", Some("good"), 6).unwrap(), "[CLS] a good [SEP] good [SEP]");
    assert_eq!(plain("good", Some("a good movie a good"), 6).unwrap(), "[CLS] good [SEP] a good [SEP]");
    assert_eq!(plain("a good movie", Some("a good movie"), 6).unwrap(), "[CLS] a good [SEP] a [SEP]");
    // Encoding a very long text takes no longer than tokenizing it.
    assert_eq!(plain(&"movie ".repeat(100_000), None, 5).unwrap(), "[CLS] movie movie movie [SEP]");
    for (text, most, code) in [("  ", 64, Code::DataInvalid), ("a", 2, Code::InvalidArgument)] {
        assert_eq!(plain(text, None, most).unwrap_err().code(), code);
    }
    assert_eq!(plain("a", Some("a"), 3).unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(plain("", Some("movie"), 64).unwrap(), "[CLS] [SEP] movie [SEP]");

    // For a causal model, a pair is on two lines.
    let t = gpt(false, false);
    let encoder = TextEncoder::new(&t, HeadKind::CausalLm, 64).unwrap();
    assert_eq!(encoder.encode("good", Some("movie")).unwrap().ids, t.encode("good\nmovie", true).unwrap());
}
