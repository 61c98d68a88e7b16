use super::*;
use crate::error::Code;
use crate::text::metrics::Normalize;

mod refusals;

const MASKED: HeadKind = HeadKind::MaskedLm;
const CAUSAL: HeadKind = HeadKind::CausalLm;

fn labelled(task: &str, name: &str, text: &str) -> Vec<(String, Option<String>, String, usize)> {
    match find(task).unwrap().read(MASKED, name, text.as_bytes()).unwrap().rows {
        Rows::Classified(rows) => rows.into_iter().map(|r| (r.text, r.text_b, r.label, r.row)).collect(),
        other => panic!("{other:?}"),
    }
}

fn questions(task: &str, name: &str, text: &str) -> Vec<Question> {
    match find(task).unwrap().read(CAUSAL, name, text.as_bytes()).unwrap().rows {
        Rows::Questions(rows) => rows,
        other => panic!("{other:?}"),
    }
}

/// The prompt, the candidates and the correct candidates of the only question.
fn choice(task: &str, name: &str, text: &str) -> (String, Vec<String>, Vec<usize>) {
    let mut all = questions(task, name, text);
    assert_eq!(all.len(), 1);
    let question = all.remove(0);
    match question.reply {
        Reply::Choice { candidates, correct } => (question.prompt, candidates, correct),
        other => panic!("{other:?}"),
    }
}

fn row(text: &str, text_b: Option<&str>, label: &str, row: usize) -> (String, Option<String>, String, usize) {
    (text.into(), text_b.map(Into::into), label.into(), row)
}

/// Compares the tasks with the paper's tables.
#[test]
fn prompts_and_words_are_the_papers() {
    let it_was = "{text} It was [MASK].";
    let inference = "{text}? [MASK], {text_b}";
    for (name, template, words) in [
        ("sst-2", it_was, &["terrible", "great"][..]),
        ("sst-5", it_was, &["terrible", "bad", "okay", "good", "great"]),
        ("snli", inference, &["Yes", "Maybe", "No"]),
        ("mnli", inference, &["Yes", "Maybe", "No"]),
        ("rte", inference, &["Yes", "No"]),
        ("trec", "[MASK]: {text}", &["Description", "Entity", "Expression", "Human", "Location", "Number"]),
    ] {
        let task = find(name).unwrap();
        assert_eq!(
            (task.template(MASKED).unwrap().trim(), task.words().as_slice()),
            (template, words),
            "{name}"
        );
    }
    for (name, template) in [
        ("sst-2", "{text} It was"),
        ("rte", "{text}\nDoes this mean that \"{text_b}\" is true? Yes or No?\n"),
        ("cb", "Suppose {text} Can we infer that \"{text_b}\"? Yes, No, or Maybe?\n"),
        ("boolq", "{text} {text_b}?\n"),
        (
            "wsc",
            "{text}\nIn the previous sentence, does the pronoun \"{pronoun}\" refer to {noun}? Yes or No?\n",
        ),
        (
            "wic",
            "Does the word \"{word}\" have the same meaning in these two sentences? Yes, No?\n{text}\n{text_b}\n",
        ),
        (
            "multirc",
            "{paragraph}\nQuestion: {question}\nI found this answer \"{answer}\". Is that correct? Yes or No?\n",
        ),
        ("copa", "{premise} {question}"),
        ("record", "{passage}\n-"),
        ("squad", "Title: {title}\nContext: {context}\nQuestion: {question}\nAnswer:"),
        ("drop", "Passage: {passage}\nQuestion: {question}\nAnswer:"),
    ] {
        assert_eq!(find(name).unwrap().template(CAUSAL).unwrap(), template, "{name}");
    }
    assert_eq!(known::TASKS.len(), 15);
    let grid = |name: &str, head, method| find(name).unwrap().defaults(head, method).unwrap();
    let full = grid("sst-2", MASKED, "full");
    assert_eq!((full.steps, full.batch_size, full.weight_decay), (100_000, 64, 0.0));
    let lora = grid("sst-2", CAUSAL, "lora");
    assert_eq!((lora.steps, lora.batch_size, lora.weight_decay), (20_000, 16, 0.0));
    assert_eq!(grid("rte", MASKED, "lora").weight_decay, 0.1);
    assert!(find("rte").unwrap().defaults(CAUSAL, "other").is_err());
}

#[test]
fn names_are_found_as_people_write_them() {
    for name in ["sst-2", "SST2", "Sst_2", "ReCoRD", "BoolQ", "SQuAD", "TREC", "multi-rc"] {
        find(name).unwrap();
    }
    for unknown in ["", "-", "sst", "imdb"] {
        let error = find(unknown).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().contains("sst-2, sst-5, snli, mnli, rte, trec;"), "{error}");
        assert!(error.message().contains("copa, record, squad, drop;"), "{error}");
    }
    let error = find("snli").unwrap().read(CAUSAL, "a.tsv", b"x").unwrap_err();
    assert!(error.message().contains("causal") && error.message().contains("sst-2, rte, cb"), "{error}");
    assert!(find("cb").unwrap().template(MASKED).is_err());
}

#[test]
fn tables_of_glue() {
    let sst = "sentence\tlabel\nhides \"nothing \t0\na joy to watch , and to hear \t1\n";
    assert_eq!(
        labelled("sst-2", "train.tsv", sst),
        [row("hides \"nothing", None, "terrible", 2), row("a joy to watch , and to hear", None, "great", 3)]
    );
    let (prompt, candidates, correct) = choice("sst-2", "dev.tsv", "sentence\tlabel\na joy \t1\n");
    assert_eq!(prompt, "a joy It was");
    assert_eq!((candidates, correct), (vec![" terrible".to_owned(), " great".to_owned()], vec![1]));

    let rte = "index\tsentence1\tsentence2\tlabel\n0\tA cat sat.\tAn animal sat.\tentailment\n1\tA cat sat.\tIt ran.\tnot_entailment\n";
    assert_eq!(
        labelled("rte", "train.tsv", rte),
        [row("A cat sat", Some("an animal sat."), "Yes", 2), row("A cat sat", Some("it ran."), "No", 3)]
    );
    let asked = &questions("rte", "train.tsv", rte)[1];
    assert_eq!(asked.prompt, "A cat sat.\nDoes this mean that \"It ran.\" is true? Yes or No?\n");
    assert_eq!((asked.reply.trained().as_str(), asked.class, asked.row), ("No", Some(1), 3));

    let mnli = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\t\
                sentence1\tsentence2\tlabel1\tgold_label\n\
                0\t1\t1n\tfiction\t( a )\t( b )\t(ROOT a)\t(ROOT b)\tHe left early!\tÉmile was there?\tneutral\tneutral\n";
    assert_eq!(
        labelled("mnli", "train.tsv", mnli),
        [row("He left early", Some("émile was there?"), "Maybe", 2)]
    );
}

#[test]
fn lines_trees_and_bare_tables() {
    let trees =
        "(3 (2 It) (4 (2 's) (4 (2 -LRB-) (4 fun))))\n\n(0 (2 Not) (1 (2 1\\/2) (2 (2 bad) (2 -RRB-))))\n";
    let expected = [row("It 's ( fun", None, "good", 1), row("Not 1/2 bad )", None, "terrible", 3)];
    assert_eq!(labelled("sst-5", "train.txt", trees), expected);
    let csv = "4,\"a fine , fine film\"\n0,so dull\n";
    let bare = [row("a fine , fine film", None, "great", 1), row("so dull", None, "terrible", 2)];
    assert_eq!(labelled("sst-5", "train.csv", csv), bare);

    let trec =
        "DESC:manner How does a lock work ?\nNUM:date When is noon ?\nABBR:exp What does UTC stand for ?\n";
    let expected = [
        row("How does a lock work ?", None, "Description", 1),
        row("When is noon ?", None, "Number", 2),
        row("What does UTC stand for ?", None, "Expression", 3),
    ];
    assert_eq!(labelled("trec", "train_5500.label", trec), expected);
    assert_eq!(labelled("trec", "train.csv", "3,Who knocks ?\n"), [row("Who knocks ?", None, "Human", 1)]);
    // The published file has bytes that are not UTF-8.
    let bytes = b"LOC:other Where is the \xf0 Ritz ?\n";
    let read = find("trec").unwrap().read(MASKED, "a.label", bytes).unwrap();
    assert_eq!(
        read.rows,
        find("trec").unwrap().read(MASKED, "b.label", b"LOC:other Where is the   Ritz ?").unwrap().rows
    );
}

#[test]
fn rows_without_a_gold_label_are_left_out() {
    let snli = "{\"gold_label\":\"-\",\"sentence1\":\"A.\",\"sentence2\":\"B.\"}\n\
                {\"gold_label\":\"contradiction\",\"sentence1\":\"A dog runs.\",\"sentence2\":\"A dog sleeps.\",\"pairID\":\"x\"}\n";
    let expected = [row("A dog runs", Some("a dog sleeps."), "No", 2)];
    assert_eq!(labelled("snli", "snli_1.0_train.jsonl", snli), expected);
    let table = "gold_label\tsentence1_binary_parse\tsentence1\tsentence2\tlabel1\n\
                 -\t( x )\tA.\tB.\tneutral\ncontradiction\t( x )\tA dog runs.\tA dog sleeps.\t\n";
    assert_eq!(
        labelled("snli", "snli_1.0_train.txt", table)[0],
        row("A dog runs", Some("a dog sleeps."), "No", 3)
    );
    let error = find("snli")
        .unwrap()
        .read(MASKED, "a.tsv", b"sentence1\tsentence2\tgold_label\na\tb\t-\n")
        .unwrap_err();
    assert!(error.message().contains("at least one row of snli"), "{error}");
}

#[test]
fn our_own_fields_are_read_too() {
    assert_eq!(
        labelled("sst-2", "a.csv", "text,label\nfine,great\nbad,0\n")[0],
        row("fine", None, "great", 2)
    );
    assert_eq!(
        labelled("snli", "a.jsonl", "{\"text\":\"A b.\",\"text_b\":\"C d.\",\"label\":2}"),
        [row("A b", Some("c d."), "No", 1)]
    );
    assert_eq!(labelled("trec", "a.csv", "text,label\nWho ?,HUM\n"), [row("Who ?", None, "Human", 2)]);
    let boolq = choice("boolq", "a.csv", "text,text_b,label\nIce is cold.,is ice cold,Yes\n");
    assert_eq!((boolq.0.as_str(), boolq.2), ("Ice is cold. Is ice cold?\n", vec![1]));
}

#[test]
fn lines_of_superglue() {
    let rte = choice(
        "rte",
        "train.jsonl",
        "{\"premise\":\"P.\",\"hypothesis\":\"H.\",\"label\":\"entailment\",\"idx\":0}",
    );
    assert_eq!(rte.0, "P.\nDoes this mean that \"H.\" is true? Yes or No?\n");
    assert_eq!((rte.1, rte.2), (vec!["Yes".to_owned(), "No".to_owned()], vec![0]));

    let cb = choice(
        "cb",
        "val.jsonl",
        "{\"premise\":\"It rained.\",\"hypothesis\":\"it was wet\",\"label\":\"neutral\",\"idx\":1}",
    );
    assert_eq!(cb.0, "Suppose It rained. Can we infer that \"it was wet\"? Yes, No, or Maybe?\n");
    assert_eq!((cb.1, cb.2), (vec!["Yes".to_owned(), "No".to_owned(), "Maybe".to_owned()], vec![2]));

    for (label, correct) in [("true", 1), ("false", 0)] {
        let line = format!(
            "{{\"question\":\"is tea hot?\",\"passage\":\"Tea is hot.\",\"idx\":0,\"label\":{label}}}"
        );
        let boolq = choice("boolq", "train.jsonl", &line);
        assert_eq!((boolq.0.as_str(), boolq.2), ("Tea is hot. Is tea hot?\n", vec![correct]));
    }
    let original = choice(
        "boolq",
        "dev.jsonl",
        "{\"question\":\"is tea hot\",\"title\":\"Tea\",\"answer\":true,\"passage\":\"Tea.\"}",
    );
    assert_eq!((original.0.as_str(), original.2), ("Tea. Is tea hot?\n", vec![1]));

    let wsc = "{\"text\":\"Ann saw Bea and She waved.\",\"target\":{\"span1_index\":0,\"span2_index\":4,\"span1_text\":\"Ann\",\
               \"span2_text\":\"She\"},\"idx\":0,\"label\":true}";
    let wsc = choice("wsc", "train.jsonl", wsc);
    assert_eq!(
        wsc.0,
        "Ann saw Bea and She waved.\nIn the previous sentence, does the pronoun \"she\" refer to Ann? Yes or No?\n"
    );
    assert_eq!((wsc.1, wsc.2), (vec!["No".to_owned(), "Yes".to_owned()], vec![1]));

    let wic = "{\"word\":\"bank\",\"sentence1\":\"A bank of sand.\",\"sentence2\":\"The bank lends.\",\"idx\":0,\"label\":false,\
               \"start1\":2,\"end1\":6,\"start2\":4,\"end2\":8,\"version\":1.1}";
    let wic = choice("wic", "train.jsonl", wic);
    assert_eq!(
        wic.0,
        "Does the word \"bank\" have the same meaning in these two sentences? Yes, No?\nA bank of sand.\nThe bank lends.\n"
    );
    assert_eq!(wic.2, [0]);
}

#[test]
fn nested_files() {
    let multirc = "{\"idx\":0,\"version\":1.1,\"passage\":{\"text\":\"Bo ate. Then Bo slept.\",\"questions\":[\
                   {\"question\":\"What first?\",\"idx\":0,\"answers\":[{\"text\":\"ate\",\"idx\":0,\"label\":1},{\"text\":\"slept\",\"idx\":1,\"label\":0}]},\
                   {\"question\":\"Then?\",\"idx\":1,\"answers\":[{\"text\":\"slept\",\"idx\":2,\"label\":1}]}]}}\n";
    let all = questions("multirc", "train.jsonl", multirc);
    assert_eq!(all.len(), 3);
    assert_eq!(
        all[1].prompt,
        "Bo ate. Then Bo slept.\nQuestion: What first?\nI found this answer \"slept\". Is that correct? Yes or No?\n"
    );
    assert_eq!(all.iter().map(|q| q.reply.trained()).collect::<Vec<_>>(), ["Yes", "No", "Yes"]);
    let flat = "{\"paragraph\":\"P.\",\"question\":\"Q?\",\"answer\":\"A\",\"label\":0}";
    assert_eq!(
        choice("multirc", "a.jsonl", flat).0,
        "P.\nQuestion: Q?\nI found this answer \"A\". Is that correct? Yes or No?\n"
    );

    let squad = "{\"version\":\"1.1\",\"data\":[{\"title\":\"A_Town\",\"paragraphs\":[{\"context\":\"The town is old.\",\"qas\":[\
                 {\"id\":\"1\",\"question\":\" What is old? \",\"answers\":[{\"answer_start\":0,\"text\":\"The town\"},{\"answer_start\":4,\"text\":\"town\"}]},\
                 {\"id\":\"2\",\"question\":\"How is it?\",\"answers\":[{\"answer_start\":12,\"text\":\"old\"}]}]}]}]}";
    let all = questions("squad", "train-v1.1.json", squad);
    assert_eq!(all[0].prompt, "Title: A_Town\nContext: The town is old.\nQuestion: What is old?\nAnswer:");
    assert_eq!((all.len(), all[0].reply.trained().as_str(), all[0].class), (2, " The town\n", None));
    let flat = "{\"id\":\"1\",\"title\":\"T\",\"context\":\"C\",\"question\":\"Q\",\"answers\":{\"text\":[\"x\",\"y\"],\"answer_start\":[0,1]}}";
    let expected = Reply::Text { answers: vec!["x".into(), "y".into()], normalize: Normalize::Squad };
    assert_eq!(questions("squad", "a.jsonl", flat)[0].reply, expected);

    let drop = "{\"nfl_1\":{\"passage\":\"Two goals on 3 May.\",\"qa_pairs\":[\
                {\"question\":\"How many goals?\",\"answer\":{\"number\":\"2\",\"date\":{\"day\":\"\",\"month\":\"\",\"year\":\"\"},\"spans\":[]},\
                 \"validated_answers\":[{\"number\":\"\",\"date\":{},\"spans\":[\"Two\"]},{\"number\":2,\"spans\":[]}]},\
                {\"question\":\"When?\",\"answer\":{\"number\":\"\",\"date\":{\"day\":\"3\",\"month\":\"May\",\"year\":\"\"},\"spans\":[]}}]},\
                \"nfl_2\":{\"passage\":\"A and B.\",\"qa_pairs\":[{\"question\":\"Who?\",\"answer\":{\"number\":\"\",\"spans\":[\"A\",\"B\"]}}]}}";
    let all = questions("drop", "drop_dataset_dev.json", drop);
    assert_eq!(all[0].prompt, "Passage: Two goals on 3 May.\nQuestion: How many goals?\nAnswer:");
    let golds: Vec<Vec<String>> = all
        .iter()
        .map(|q| match &q.reply {
            Reply::Text { answers, .. } => answers.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(golds, [vec!["2", "Two"], vec!["3 May"], vec!["A", "B"]]);
}

#[test]
fn rows_with_their_own_candidates() {
    let copa = |question: &str, label: u8| {
        let line = format!(
            "{{\"premise\":\"The cup fell.\",\"choice1\":\"I dropped it.\",\"choice2\":\"It Broke.\",\"question\":\"{question}\",\"label\":{label},\"idx\":0}}"
        );
        choice("copa", "train.jsonl", &line)
    };
    let candidates = vec![" I dropped it.".to_owned(), " it Broke.".to_owned()];
    assert_eq!(copa("cause", 0), ("The cup fell because".to_owned(), candidates.clone(), vec![0]));
    assert_eq!(copa("effect", 1), ("The cup fell so".to_owned(), candidates, vec![1]));

    let record = "{\"source\":\"x\",\"passage\":{\"text\":\"Ünal met Bo.\\n@highlight\\nBo won\\n@highlight\\nAll cheered\",\"entities\":[\
                  {\"start\":0,\"end\":3},{\"start\":9,\"end\":10},{\"start\":24,\"end\":25}]},\"idx\":0,\"qas\":[\
                  {\"query\":\"@placeholder took the cup\",\"answers\":[{\"start\":9,\"end\":10,\"text\":\"Bo\"}],\"idx\":0}]}";
    let (prompt, candidates, correct) = choice("record", "train.jsonl", record);
    assert_eq!(prompt, "Ünal met Bo.\n- Bo won\n- All cheered\n-");
    assert_eq!(
        (candidates.as_slice(), correct),
        (&[" Ünal took the cup".to_owned(), " Bo took the cup".to_owned()][..], vec![1])
    );
    let flat = "{\"passage\":\"A and B.\",\"query\":\"@placeholder won\",\"entities\":[\"A\",\"B\"],\"answers\":[\"B\",\"A\"]}";
    assert_eq!(choice("record", "a.jsonl", flat).2, [1, 0]);
}
