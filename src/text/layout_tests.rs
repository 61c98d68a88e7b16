use super::*;
use crate::error::Code;
use crate::text::dataset::{Reading, inspect};
use crate::text::shape::Occurrence;

/// What people paste: each with the sentence that says how it was interpreted, and its first and last row.
const PASTED: &[(&str, &str, [&str; 2], [&str; 2])] = &[
    (
        "work: Meeting at 4\nfamily: Dinner at 7: bring bread\nwork: Please send it\nfamily: Love you\n",
        "The label precedes the first colon of each line (2 labels: \"work\", \"family\"). The first line is an example.",
        ["Meeting at 4", "work"],
        ["Love you", "family"],
    ),
    (
        "업무：네 시에 회의\n가족：저녁 먹자\n업무：보고서 보내 주세요\n가족：사랑해\n",
        "The label precedes the first colon of each line (2 labels: \"업무\", \"가족\"). The first line is an example.",
        ["네 시에 회의", "업무"],
        ["사랑해", "가족"],
    ),
    (
        "See you at noon, usual place\tfriend\nYour parcel is waiting, pay here\tscam\nLunch?\tfriend\nPay now!!\tscam\n",
        "The text is in column 1 and the label in column 2 (2 labels: \"friend\", \"scam\"). The first line is an example.",
        ["See you at noon, usual place", "friend"],
        ["Pay now!!", "scam"],
    ),
    (
        "😀\tSchön, dich zu sehen\n😡\tDas ist mir zu spät\n😀\tDanke dir\n😡\tNie wieder\n",
        "The text is in column 2 and the label in column 1 (2 labels: \"😀\", \"😡\"). The first line is an example.",
        ["Schön, dich zu sehen", "😀"],
        ["Nie wieder", "😡"],
    ),
    (
        "Nachricht;Art\nKommst du heute?;Familie\nDie Rechnung ist offen;Arbeit\nBis gleich!;Familie\nTermin um vier;Arbeit\n",
        "The text is in the column \"Nachricht\" and the label in the column \"Art\" (2 labels: \"Familie\", \"Arbeit\"). The first \
         line has the column names.",
        ["Kommst du heute?", "Familie"],
        ["Termin um vier", "Arbeit"],
    ),
    (
        "Lunch, at noon?,friend\nPay here now,scam\nSee you,friend\nWin, win, win,scam\n",
        "The label follows the last comma of each line (2 labels: \"friend\", \"scam\"). The first line is an example.",
        ["Lunch, at noon?", "friend"],
        ["Win, win, win", "scam"],
    ),
    (
        "\"Lunch, at noon?\",friend\n\"Pay here\nnow\",scam\n\"See you\",friend\nWin,scam\n",
        "The text is in column 1 and the label in column 2 (2 labels: \"friend\", \"scam\"). The first line is an example.",
        ["Lunch, at noon?", "friend"],
        ["Win", "scam"],
    ),
];

/// A few lines, each with the certainty with which its rows are read as labeled, if they are.
const FEW: &[(&str, Option<Certainty>)] = &[
    ("friend: See you at noon\nscam: Pay here: now\n", Some(Certainty::Likely)),
    ("friend:See you\nscam:Pay here, or else\n", Some(Certainty::Likely)),
    ("친구：내일 봐\n사기：지금 송금하세요\n", Some(Certainty::Likely)),
    ("work: Meeting\nfamily: Dinner\nwork: Report\n", Some(Certainty::Likely)),
    ("very good: Loved it\nbad: Fell asleep\nso so: It ends\n", Some(Certainty::Likely)),
    // Only one label, times, a line without a label, and values that are too long for a label.
    ("friend: See you at noon\nFriend: Lunch?\n", None),
    ("10:30 Meeting\n11:00 Lunch\n", None),
    ("friend: See you at noon\nPay here\n", None),
    ("What she said to me: nothing\nWhat I said: not much\n", None),
];

#[test]
fn a_few_lines_are_read_as_labeled_where_each_begins_with_a_label() {
    for (text, certainty) in FEW {
        let reading = pasted(text, &labeled());
        assert_eq!(reading.layout.as_ref().map(|layout| layout.certainty), *certainty, "{text}");
        assert_eq!(matches!(reading.dataset.rows, Rows::Classified(_)), certainty.is_some(), "{text}");
        // Unless labels are expected, it is plain text.
        assert!(matches!(
            pasted("friend: See you\nscam: Pay\n", &Wanted::default()).dataset.rows,
            Rows::Plain(_)
        ));
    }
    let glossary: String = ('a'..='z').map(|letter| format!("{letter}: a letter\n")).collect();
    assert_eq!(pasted(&glossary, &labeled()).layout, None, "so many different labels are none");
}

#[test]
fn a_layout_says_as_data_how_lines_are_divided_and_whether_columns_have_names() {
    let lines = pasted(PASTED[0].0, &labeled());
    assert_eq!(layout(&lines).divided, Some(Division { at: Occurrence::First, mark: ':' }));
    let commas = pasted(PASTED[5].0, &labeled());
    assert_eq!(layout(&commas).divided, Some(Division { at: Occurrence::Last, mark: ',' }));
    let table = pasted(PASTED[4].0, &labeled());
    assert_eq!((layout(&table).divided, layout(&table).columns[0].named), (None, true));
    assert!(layout(&lines).columns.iter().all(|column| !column.named));
    // If the user swaps the columns, the sentence changes accordingly.
    let exchanged = pasted(PASTED[0].0, &columns("1", "2"));
    assert!(
        layout(&exchanged)
            .understood
            .starts_with("The text is in before the colon and the label in after the colon")
    );
}

fn labeled() -> Wanted {
    Wanted { labeled: true, ..Wanted::default() }
}

fn columns(text: &str, label: &str) -> Wanted {
    let column = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    Wanted { text_column: column(text), label_column: column(label), ..Wanted::default() }
}

fn pasted(text: &str, wanted: &Wanted) -> Reading {
    inspect("the examples", text.as_bytes(), wanted).unwrap()
}

fn rows(reading: &Reading) -> Vec<[&str; 2]> {
    match &reading.dataset.rows {
        Rows::Classified(rows) => rows.iter().map(|row| [row.text.as_str(), row.label.as_str()]).collect(),
        other => panic!("{other:?}"),
    }
}

fn layout(reading: &Reading) -> &Layout {
    reading.layout.as_ref().unwrap()
}

#[test]
fn what_people_paste_is_understood_and_said() {
    for (text, understood, first, last) in PASTED {
        for wanted in [Wanted::default(), labeled()] {
            let reading = pasted(text, &wanted);
            assert_eq!(layout(&reading).understood, *understood);
            assert_eq!(layout(&reading).certainty, Certainty::Likely, "{understood}");
            let rows = rows(&reading);
            assert_eq!((rows.first(), rows.last()), (Some(first), Some(last)));
            assert_eq!(reading.problems, []);
        }
        // A file with this content is never mistaken for anything else, whatever a program expects of it.
        assert!(dataset_of(text).is_none_or(|rows| matches!(rows, Rows::Plain(_))), "{text}");
    }
}

/// What training reads without asking.
fn dataset_of(text: &str) -> Option<Rows> {
    crate::text::dataset::read("the examples", text.as_bytes()).ok().map(|data| data.rows)
}

#[test]
fn columns_of_other_names_are_known() {
    for header in
        ["message,type", "Type,Message", "category,text", "review,sentiment", "comment,kind", "sms,tag"]
    {
        let cells = |text: &str, label: &str| match header.split(',').next().unwrap().to_lowercase().as_str()
        {
            "type" | "category" => format!("{label},{text}\n"),
            _ => format!("{text},{label}\n"),
        };
        let text = format!("{header}\n{}{}", cells("Meeting at 4", "work"), cells("Love you", "family"));
        let reading = pasted(&text, &Wanted::default());
        assert_eq!(reading.layout, None, "{header}: the names tell it");
        assert_eq!(rows(&reading), [["Meeting at 4", "work"], ["Love you", "family"]], "{header}");
    }
    for header in ["question,answer", "input,output", "instruction,response"] {
        let reading = pasted(&format!("{header}\nWho?,Me\n"), &Wanted::default());
        assert!(
            matches!(&reading.dataset.rows, Rows::Completion(rows) if rows[0].completion == "Me"),
            "{header}"
        );
    }
}

#[test]
fn where_it_is_not_clear_a_person_is_asked() {
    let table = "id,from,priority,body_de\n1,Anna,high,Kommst du heute Abend?\n2,Ben,low,Die Rechnung ist noch offen\n\
                 3,Anna,high,Bis gleich am Bahnhof\n4,Ben,low,Der Termin ist um vier\n";
    let reading = inspect("mail.csv", table.as_bytes(), &Wanted::default()).unwrap();
    let found = layout(&reading);
    assert_eq!(found.certainty, Certainty::Unsure);
    let names: Vec<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "from", "priority", "body_de"]);
    assert_eq!(
        (found.header, found.text, found.label),
        (true, Some(3), Some(2)),
        "the last of two is proposed"
    );
    assert_eq!(found.columns[1].samples, ["Anna", "Ben", "Anna"]);
    let refusal = reading.whole().unwrap_err();
    assert_eq!(refusal.code(), Code::DataInvalid);
    assert!(
        refusal.message().starts_with("mail.csv, header, field `text`: expected the columns"),
        "{refusal}"
    );
    assert!(
        refusal.message().ends_with(
            "Choose the text column and the label column from `id`, `from`, `priority`, `body_de`"
        ),
        "{refusal}"
    );

    for wanted in [columns("body_de", "from"), columns("4", "2"), columns("BODY_DE", "2")] {
        let reading = inspect("mail.csv", table.as_bytes(), &wanted).unwrap();
        assert_eq!(layout(&reading).certainty, Certainty::Chosen);
        assert_eq!(rows(&reading)[0], ["Kommst du heute Abend?", "Anna"]);
        assert_eq!(reading.whole().unwrap().0.len(), 4);
    }
    // If one column is chosen, the other follows.
    let reading = inspect("mail.csv", table.as_bytes(), &columns("", "from")).unwrap();
    assert_eq!((layout(&reading).text, layout(&reading).certainty), (Some(3), Certainty::Likely));
    for (wanted, says) in [
        (
            columns("message", "from"),
            "text column: expected `id`, `from`, `priority`, `body_de` or a number from 1 to 4, found `message`",
        ),
        (columns("5", "1"), "found `5`"),
        (columns("0", "1"), "found `0`"),
        (columns("2", "from"), "expected two columns, found `from` for both"),
    ] {
        let error = inspect("mail.csv", table.as_bytes(), &wanted).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().starts_with("mail.csv") && error.message().contains(says), "{error}");
    }
}

#[test]
fn texts_without_labels_are_read_for_labels_to_come() {
    let wanted = Wanted { unlabeled: true, ..Wanted::default() };
    let texts = |reading: &Reading| match &reading.dataset.rows {
        Rows::Plain(texts) => texts.clone(),
        other => panic!("{other:?}"),
    };
    let lines = pasted("Meeting at 4\n\n  Love you, mum \nSee you\n", &wanted);
    assert_eq!(texts(&lines), ["Meeting at 4", "Love you, mum", "See you"]);
    let table = pasted("work: Meeting at 4\nfamily: Dinner\nwork: Send it\nfamily: Love you\n", &wanted);
    assert_eq!(texts(&table), ["Meeting at 4", "Dinner", "Send it", "Love you"]);
    // Without that request, they are a single text.
    assert_eq!(texts(&pasted("Meeting at 4\nLove you\nSee you\n", &labeled())).len(), 1);
}

#[test]
fn prose_is_not_taken_for_rows() {
    for prose in [
        "Dear Anna,\nit rains; we stay in.",
        "It was late. He said: nothing.\nShe laughed, and left.\n\nThen came the rain, as it does.",
        "One sentence only",
        "fn main() {\n    println!(\"a: b\");\n}\n",
    ] {
        for wanted in [Wanted::default(), labeled()] {
            let reading = pasted(prose, &wanted);
            assert_eq!(reading.dataset.rows, Rows::Plain(vec![prose.to_owned()]));
            assert_eq!(reading.layout, None);
        }
    }
    // A file with the extension of text is plain text; labels in it are only looked for on request.
    let said = "Anna: Hello\nBen: Hello yourself\nAnna: Well\nBen: So\n";
    let as_text = inspect("talk.txt", said.as_bytes(), &Wanted::default()).unwrap();
    assert!(matches!(as_text.dataset.rows, Rows::Plain(_)));
    assert_eq!(rows(&inspect("talk.txt", said.as_bytes(), &labeled()).unwrap()).len(), 4);
}

#[test]
fn json_with_other_keys_is_understood() {
    let lines = "{\"nachricht\":\"Kommst du heute?\",\"art\":\"Familie\"}\n{\"nachricht\":\"Die Rechnung\",\"art\":\"Arbeit\"}\n\
                 {\"nachricht\":\"Bis gleich\",\"art\":\"Familie\"}\n{\"nachricht\":\"Termin um vier\",\"art\":\"Arbeit\"}\n";
    let reading = pasted(lines, &Wanted::default());
    assert_eq!(rows(&reading)[3], ["Termin um vier", "Arbeit"]);
    assert_eq!(
        layout(&reading).understood,
        "The text is in the column \"nachricht\" and the label in the column \"art\" (2 labels: \"Familie\", \"Arbeit\")."
    );
    let reading = pasted(lines, &columns("art", "nachricht"));
    assert_eq!(rows(&reading)[0], ["Familie", "Kommst du heute?"]);
}

#[test]
fn labels_are_any_words_in_any_number() {
    // 24 examples in total, of 2 to 20 labels, one of them much more frequent than the others.
    for labels in 2..=20 {
        let name = |at: usize| {
            ["가족", "Familie & Freunde", "😀", "spam", "Rückfrage"]
                .get(at)
                .map_or(format!("Gruppe {at}"), |n| n.to_string())
        };
        let label = |row: usize| {
            name(if row < labels {
                row
            } else if row < 18 {
                0
            } else {
                row % labels
            })
        };
        let row = |at: usize| format!("The text number {at} of them, as someone wrote it\t{}\n", label(at));
        let text: String = (0..24).map(row).collect();
        let reading = pasted(&text, &labeled());
        let found = layout(&reading);
        assert_eq!((found.text, found.label), (Some(0), Some(1)), "{labels} labels");
        assert_eq!(found.certainty == Certainty::Likely, labels <= 12, "{labels} labels: {found:?}");
        assert_eq!(rows(&reading).len(), 24);
        assert_eq!(rows(&reading)[1][1], "Familie & Freunde");
    }
}

#[test]
fn rows_without_a_label_are_told_by_their_line() {
    let text = format!("{}no label here\n", "work: Meeting at 4\nfamily: Love you\n".repeat(6));
    let reading = pasted(&text, &Wanted::default());
    assert_eq!(rows(&reading).len(), 12);
    assert_eq!(reading.problems[0].message, "row 13: expected a label before a colon, found none");
    assert!(reading.whole().is_err());
}

#[test]
fn a_header_may_have_more_columns_than_the_rows() {
    let text = "{\"text\":\"a\",\"label\":1}text,label\ntext{text,label\n,";
    let _ = crate::text::dataset::inspect("a.csv", text.as_bytes(), &Wanted::default());
}

/// Rows of three fields, in which two columns repeat their values.
fn two_candidates(header: &str, quoted: bool) -> String {
    let row = |at: usize| {
        let text = format!("The message number {at} of them{}", if quoted { ", all of them" } else { "" });
        let text = if quoted { format!("\"{text}\"") } else { text };
        format!("{text},{},2024-05-0{}\n", ["friend", "shop"][at % 2], 1 + at / 4)
    };
    format!("{header}{}", (0..32).map(row).collect::<String>())
}

#[test]
fn a_table_with_two_columns_like_labels_is_not_divided_at_its_last_comma() {
    for (header, quoted) in
        [("message,sender_type,date\n", false), ("nachricht,absender,tag_\n", false), ("", true)]
    {
        let text = two_candidates(header, quoted);
        for (name, wanted) in [
            ("own.csv", Wanted::default()),
            ("own.csv", labeled()),
            ("the examples", Wanted::default()),
            ("the examples", labeled()),
        ] {
            let reading = inspect(name, text.as_bytes(), &wanted).unwrap();
            let found = layout(&reading);
            assert_eq!((found.columns.len(), found.divided), (3, None), "{header}");
            assert_eq!((found.header, found.certainty), (!header.is_empty(), Certainty::Unsure), "{header}");
            let refusal = reading.whole().unwrap_err();
            let (_, columns) = refusal.message().split_once("Choose the text column").unwrap();
            let names = if quoted { "column 1,column 2,column 3" } else { header.trim() };
            assert!(names.split(',').all(|name| columns.contains(&format!("`{name}`"))), "{refusal}");
        }
        // Columns that are chosen are those of the table.
        for wanted in [columns("1", "2"), columns("", "2"), Wanted { labeled: true, ..columns("", "2") }] {
            let reading = inspect("own.csv", text.as_bytes(), &wanted).unwrap();
            assert_eq!(rows(&reading).len(), 32);
            assert_eq!(rows(&reading)[1][1], "shop");
            assert!(rows(&reading)[1][0].starts_with("The message number 1"));
        }
    }
    let text = two_candidates("message,sender_type,date\n", false);
    for (wanted, label) in [
        (columns("", "sender_type"), "friend"),
        (columns("message", "date"), "2024-05-01"),
        (columns("1", "3"), "2024-05-01"),
    ] {
        let reading = inspect("own.csv", text.as_bytes(), &wanted).unwrap();
        assert_eq!(rows(&reading)[0], ["The message number 0 of them", label]);
        assert_eq!(reading.whole().unwrap().0.len(), 32);
    }
    let error = inspect("own.csv", text.as_bytes(), &columns("", "sender")).unwrap_err();
    assert!(error.message().contains("expected `message`, `sender_type`, `date` or a number"), "{error}");
}

#[test]
fn texts_with_commas_before_a_label_are_still_divided_at_the_last_one() {
    // As many commas in every line, and a different number of them.
    let even = "Lunch, at noon?,friend\nPay here, now,scam\nSee you, bye,friend\nWin it, now,scam\n";
    let uneven = "Lunch, at noon?,friend\nPay, pay, now,scam\nSee you,friend\nHi, win it, now,scam\n";
    // The same with texts that begin with a quotation mark.
    let spoken =
        "\"Lunch\", she said,friend\n\"Pay\", it said,scam\n\"Bye\", he said,friend\n\"Win\", now,scam\n";
    for text in [even, uneven, spoken] {
        for (name, wanted) in
            [("the examples", labeled()), ("own.csv", labeled()), ("the examples", Wanted::default())]
        {
            let reading = inspect(name, text.as_bytes(), &wanted).unwrap();
            let labels: Vec<&str> = rows(&reading).iter().map(|row| row[1]).collect();
            assert_eq!(labels, ["friend", "scam", "friend", "scam"], "{text}");
        }
    }
    let reading = pasted(uneven, &labeled());
    assert_eq!(layout(&reading).divided, Some(Division { at: Occurrence::Last, mark: ',' }));
    assert_eq!(rows(&reading)[1], ["Pay, pay, now", "scam"]);
}
