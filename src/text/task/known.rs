//! The table of tasks.
//!
//! The prompts and label words are those of the paper's tables 13 and 14 and of its authors' code. For masked models, that code
//! also removes the punctuation at the end of a premise before the prompt's `?`, and converts the first letter of the second
//! sentence to lower case. Label words are in the order of the indices in the published files.

use super::answers;
use super::definition::{Answers, Field, Prompt, Task, Word};
use super::record::{Layout, Lines};
use crate::text::metrics::Normalize;

/// The layout of files whose rows are the examples.
const NOT_NESTED: Layout = Layout { nest: &[], lines: None };

const TEXT: Field = Field { name: "text", paths: &["sentence", "text"] };
const PAIR: &[Field] = &[
    Field { name: "text", paths: &["sentence1", "premise", "text"] },
    Field { name: "text_b", paths: &["sentence2", "hypothesis", "text_b"] },
];

const fn plain(template: &'static str) -> Option<Prompt> {
    Some(Prompt { template, edits: &[] })
}

const fn words(words: &'static [Word]) -> Answers {
    Answers::Words { label: &["gold_label", "label"], words, skipped: &["-"] }
}

const fn word(word: &'static str, names: &'static [&'static str]) -> Word {
    Word { word, names }
}

/// The prompt for masked models. `[MASK]` replaces the word in a sentence such as `A? Yes, b.`
const INFERENCE: Option<Prompt> = Some(Prompt {
    template: "{text}? [MASK], {text_b}",
    edits: &[("text", without_end_mark), ("text_b", lower_first)],
});

const IT_WAS: Option<Prompt> = plain("{text} It was [MASK].");

const NO_OR_YES: &[Word] = &[word("No", &["false"]), word("Yes", &["true"])];

/// All tasks.
pub const TASKS: &[Task] = &[
    Task {
        name: "sst-2",
        masked: IT_WAS,
        causal: plain("{text} It was"),
        fields: &[TEXT],
        answers: words(&[word("terrible", &["negative"]), word("great", &["positive"])]),
        layout: NOT_NESTED,
    },
    Task {
        name: "sst-5",
        masked: IT_WAS,
        causal: None,
        fields: &[TEXT],
        answers: words(&[
            word("terrible", &["very negative"]),
            word("bad", &["negative"]),
            word("okay", &["neutral"]),
            word("good", &["positive"]),
            word("great", &["very positive"]),
        ]),
        layout: Layout { nest: &[], lines: Some(Lines::Trees) },
    },
    Task {
        name: "snli",
        masked: INFERENCE,
        causal: None,
        fields: PAIR,
        answers: ENTAILED,
        layout: NOT_NESTED,
    },
    Task {
        name: "mnli",
        masked: INFERENCE,
        causal: None,
        fields: PAIR,
        answers: ENTAILED,
        layout: NOT_NESTED,
    },
    Task {
        name: "rte",
        masked: INFERENCE,
        causal: plain("{text}\nDoes this mean that \"{text_b}\" is true? Yes or No?\n"),
        fields: PAIR,
        answers: words(&[word("Yes", &["entailment"]), word("No", &["not_entailment"])]),
        layout: NOT_NESTED,
    },
    Task {
        name: "trec",
        // With the space, the label words are spelled as within a sentence, as in the authors' code. Tokenizers include the space
        // in the mask token.
        masked: plain(" [MASK]: {text}"),
        causal: None,
        fields: &[TEXT],
        answers: words(&[
            word("Description", &["DESC"]),
            word("Entity", &["ENTY"]),
            word("Expression", &["ABBR"]),
            word("Human", &["HUM"]),
            word("Location", &["LOC"]),
            word("Number", &["NUM"]),
        ]),
        layout: Layout { nest: &[], lines: Some(Lines::Classes) },
    },
    Task {
        name: "cb",
        masked: None,
        causal: plain("Suppose {text} Can we infer that \"{text_b}\"? Yes, No, or Maybe?\n"),
        fields: PAIR,
        answers: words(&[
            word("Yes", &["entailment"]),
            word("No", &["contradiction"]),
            word("Maybe", &["neutral"]),
        ]),
        layout: NOT_NESTED,
    },
    Task {
        name: "boolq",
        masked: None,
        causal: Some(Prompt { template: "{text} {text_b}?\n", edits: &[("text_b", asked)] }),
        fields: &[
            Field { name: "text", paths: &["passage", "text"] },
            Field { name: "text_b", paths: &["question", "text_b"] },
        ],
        answers: Answers::Words { label: &["answer", "label"], words: NO_OR_YES, skipped: &[] },
        layout: NOT_NESTED,
    },
    Task {
        name: "wsc",
        masked: None,
        causal: Some(Prompt {
            template: "{text}\nIn the previous sentence, does the pronoun \"{pronoun}\" refer to {noun}? Yes or No?\n",
            edits: &[("pronoun", lower)],
        }),
        fields: &[
            Field { name: "text", paths: &["text"] },
            Field { name: "noun", paths: &["target.span1_text", "span1_text"] },
            Field { name: "pronoun", paths: &["target.span2_text", "span2_text"] },
        ],
        answers: words(NO_OR_YES),
        layout: NOT_NESTED,
    },
    Task {
        name: "wic",
        masked: None,
        causal: plain(
            "Does the word \"{word}\" have the same meaning in these two sentences? Yes, No?\n{text}\n{text_b}\n",
        ),
        fields: &[Field { name: "word", paths: &["word"] }, PAIR[0], PAIR[1]],
        answers: words(NO_OR_YES),
        layout: NOT_NESTED,
    },
    Task {
        name: "multirc",
        masked: None,
        causal: plain(
            "{paragraph}\nQuestion: {question}\nI found this answer \"{answer}\". Is that correct? Yes or No?\n",
        ),
        fields: &[
            Field { name: "paragraph", paths: &["passage.text", "paragraph"] },
            Field { name: "question", paths: &["question"] },
            Field { name: "answer", paths: &["text", "answer"] },
        ],
        answers: words(NO_OR_YES),
        layout: Layout { nest: &["passage.questions", "answers"], lines: None },
    },
    Task {
        name: "copa",
        masked: None,
        causal: Some(Prompt {
            template: "{premise} {question}",
            edits: &[("premise", without_full_stop), ("question", conjunction)],
        }),
        fields: &[
            Field { name: "premise", paths: &["premise"] },
            Field { name: "question", paths: &["question"] },
        ],
        answers: Answers::Choices(answers::alternatives),
        layout: NOT_NESTED,
    },
    Task {
        name: "record",
        masked: None,
        causal: Some(Prompt { template: "{passage}\n-", edits: &[("passage", dashed)] }),
        fields: &[Field { name: "passage", paths: &["passage.text", "passage"] }],
        answers: Answers::Choices(answers::entities),
        layout: Layout { nest: &["qas"], lines: None },
    },
    Task {
        name: "squad",
        masked: None,
        causal: plain("Title: {title}\nContext: {context}\nQuestion: {question}\nAnswer:"),
        fields: &[
            Field { name: "title", paths: &["title"] },
            Field { name: "context", paths: &["context"] },
            Field { name: "question", paths: &["question"] },
        ],
        answers: Answers::Text(answers::texts, Normalize::Squad),
        layout: Layout { nest: &["paragraphs", "qas"], lines: None },
    },
    Task {
        name: "drop",
        masked: None,
        causal: plain("Passage: {passage}\nQuestion: {question}\nAnswer:"),
        fields: &[
            Field { name: "passage", paths: &["passage"] },
            Field { name: "question", paths: &["question"] },
        ],
        answers: Answers::Text(answers::numbers_dates_spans, Normalize::Drop),
        layout: Layout { nest: &["qa_pairs"], lines: None },
    },
];

const ENTAILED: Answers =
    words(&[word("Yes", &["entailment"]), word("Maybe", &["neutral"]), word("No", &["contradiction"])]);

fn lower(text: &str) -> String {
    text.to_lowercase()
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn without_end_mark(text: &str) -> String {
    text.strip_suffix(['.', '!', '?', ',', ';', ':']).unwrap_or(text).to_owned()
}

fn without_full_stop(text: &str) -> String {
    text.strip_suffix('.').unwrap_or(text).to_owned()
}

/// A question with a capital first letter, and without its question mark, because the template already has one.
fn asked(text: &str) -> String {
    let mut chars = text.strip_suffix('?').unwrap_or(text).chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn conjunction(text: &str) -> String {
    match text {
        "effect" => "so".to_owned(),
        "cause" => "because".to_owned(),
        other => other.to_owned(),
    }
}

/// The points of a summary as a list with dashes. The file separates them with `@highlight` lines.
fn dashed(text: &str) -> String {
    text.replace("@highlight\n", "- ")
}
