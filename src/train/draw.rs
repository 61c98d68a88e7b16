//! Draws the training rows of a data set with a seed, a given number of each class, and optionally others that are held out.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::error::{Result, bail};
use crate::text::rows::{Dataset, Rows};
use crate::zo::random::sample_order;

/// The rows of a data file that are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(clap::Args))]
pub struct Draw {
    /// Number of rows to draw from each class, or from all rows if they have no classes; 0 takes every row
    #[cfg_attr(not(target_arch = "wasm32"), arg(long, default_value_t = 0))]
    pub shots: u32,
    /// Number of rows to hold out for evaluation, from those that are not drawn. No row with the text of a held-out row is trained on
    #[cfg_attr(not(target_arch = "wasm32"), arg(long, default_value_t = 0))]
    pub hold_out: u32,
    /// Seed of the draw
    #[cfg_attr(not(target_arch = "wasm32"), arg(long, default_value_t = 0))]
    pub data_seed: u64,
}

/// Draws rows to train on and rows to hold out from `data`, in the order of [`sample_order`]: first `shots` rows of each class,
/// then `hold_out` of the remaining rows. Both keep the file's order. The same file, seed and `shots` give the same rows
/// everywhere. No text is on both sides: rows with the text of a drawn row are not held out, and without `shots`, rows with the text
/// of a held-out row are left out of the training rows.
///
/// # Errors
/// `invalid-argument` naming the class that has too few rows, or if too few rows are left to hold out.
pub fn draw(data: Dataset, given: Draw) -> Result<(Dataset, Option<Dataset>)> {
    let Draw { shots, hold_out, data_seed } = given;
    if shots == 0 && hold_out == 0 {
        return Ok((data, None));
    }
    let classes = classes(&data.rows)?;
    let names: Vec<&str> = {
        let mut names: Vec<&str> = classes.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let texts: Vec<u64> = data.rows.tags().collect();
    let order = sample_order(data_seed, classes.len());
    let mut drawn = vec![false; classes.len()];
    if shots > 0 {
        for name in names {
            let rows: Vec<usize> =
                order.iter().copied().filter(|&i| classes[i] == name).take(shots as usize).collect();
            if rows.len() < shots as usize {
                let of = if name.is_empty() { String::new() } else { format!(" of the class {name:?}") };
                bail!(InvalidArgument, "{}: expected {shots} rows{of}, found {}", data.name, rows.len());
            }
            rows.into_iter().for_each(|i| drawn[i] = true);
        }
    }
    let of_drawn: HashSet<u64> = (0..classes.len()).filter(|i| drawn[*i]).map(|i| texts[i]).collect();
    let left = order.into_iter().filter(|&i| !of_drawn.contains(&texts[i]));
    let mut held: Vec<usize> = left.take(hold_out as usize).collect();
    held.sort_unstable();
    let of_held: HashSet<u64> = held.iter().map(|&i| texts[i]).collect();
    let is_kept = |i: &usize| if shots > 0 { drawn[*i] } else { !of_held.contains(&texts[*i]) };
    let rest: Vec<usize> = (0..classes.len()).filter(is_kept).collect();
    let missing = if held.len() < hold_out as usize {
        Some((format!("{hold_out} rows to hold out whose texts are not drawn"), held.len().to_string()))
    } else if rest.is_empty() {
        Some(("rows to train on whose texts are not held out".to_owned(), "none".to_owned()))
    } else {
        None
    };
    if let Some((expected, found)) = missing {
        let (name, rows) = (&data.name, texts.len());
        let different = texts.iter().collect::<HashSet<_>>().len();
        let of = format!("the file has {rows} rows with {different} different texts");
        bail!(InvalidArgument, "{name}: expected {expected}, found {found}; {of}");
    }
    Ok((with(&data, &rest), (hold_out > 0).then(|| with(&data, &held))))
}

/// Each row's class; empty if the rows have no classes.
fn classes(rows: &Rows) -> Result<Vec<String>> {
    Ok(match rows {
        Rows::Classified(rows) => rows.iter().map(|row| row.label.to_lowercase()).collect(),
        Rows::Questions(rows) => {
            rows.iter().map(|row| row.class.map_or_else(String::new, |c| c.to_string())).collect()
        }
        Rows::Completion(rows) => vec![String::new(); rows.len()],
        Rows::Chat(rows) => vec![String::new(); rows.len()],
        Rows::Plain(texts) if texts.len() > 1 => vec![String::new(); texts.len()],
        Rows::Plain(_) => {
            bail!(InvalidArgument, "rows can only be drawn from data with rows, found plain text")
        }
    })
}

/// A data set with only these rows.
fn with(data: &Dataset, rows: &[usize]) -> Dataset {
    fn pick<T: Clone>(all: &[T], rows: &[usize]) -> Vec<T> {
        rows.iter().filter_map(|i| all.get(*i).cloned()).collect()
    }
    let rows = match &data.rows {
        Rows::Classified(all) => Rows::Classified(pick(all, rows)),
        Rows::Completion(all) => Rows::Completion(pick(all, rows)),
        Rows::Questions(all) => Rows::Questions(pick(all, rows)),
        Rows::Chat(all) => Rows::Chat(pick(all, rows)),
        Rows::Plain(all) => Rows::Plain(pick(all, rows)),
    };
    Dataset { name: data.name.clone(), rows, task: data.task }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::text::dataset;
    use crate::text::rows::Classified;

    fn data() -> Dataset {
        let rows: String = (0..40).map(|i| format!("t{i},{}\n", ["a", "b", "A", "c"][i % 4])).collect();
        dataset::read("x.csv", format!("text,label\n{rows}").as_bytes()).unwrap()
    }

    fn rows(data: &Dataset) -> &[Classified] {
        match &data.rows {
            Rows::Classified(rows) => rows,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn so_many_of_each_class_and_others_held_out() {
        let given = Draw { shots: 5, hold_out: 9, data_seed: 3 };
        let (train, held) = draw(data(), given).unwrap();
        let held = held.unwrap();
        for class in ["a", "b", "c"] {
            let count = rows(&train).iter().filter(|r| r.label.eq_ignore_ascii_case(class)).count();
            assert_eq!(count, 5, "{class}");
        }
        assert_eq!((rows(&train).len(), rows(&held).len()), (15, 9));
        assert!(rows(&held).iter().all(|row| !rows(&train).contains(row)));
        assert!(rows(&train).windows(2).all(|pair| pair[0].row < pair[1].row), "in the file's order");
        let again = draw(data(), given).unwrap();
        assert_eq!(again.0, train);
        assert_ne!(draw(data(), Draw { data_seed: 4, ..given }).unwrap().0, train);
        // A smaller draw is a subset of a larger one, and holding out rows does not change which rows are drawn.
        let fewer = draw(data(), Draw { shots: 2, hold_out: 0, data_seed: 3 }).unwrap().0;
        assert!(rows(&fewer).iter().all(|row| rows(&train).contains(row)));
    }

    #[test]
    fn all_rows_but_those_held_out() {
        let (train, held) = draw(data(), Draw { hold_out: 10, ..Draw::default() }).unwrap();
        assert_eq!((train.len(), held.unwrap().len()), (30, 10));
        let (all, none) = draw(data(), Draw::default()).unwrap();
        assert_eq!((all, none), (data(), None));
    }

    #[test]
    fn copies_of_a_text_are_on_one_side() {
        let rows_of: String =
            (0..40).map(|i| format!("t{},{}\n", i % 10, ["a", "b"][usize::from(i % 3 == 0)])).collect();
        let data = dataset::read("x.csv", format!("text,label\n{rows_of}").as_bytes()).unwrap();
        let texts =
            |data: &Dataset| -> HashSet<String> { rows(data).iter().map(|row| row.text.clone()).collect() };
        for shots in [0, 4] {
            for data_seed in 0..20 {
                let given = Draw { shots, hold_out: 3, data_seed };
                let (train, held) = draw(data.clone(), given).unwrap();
                let held = held.unwrap();
                assert_eq!(held.len(), 3);
                assert!(texts(&train).is_disjoint(&texts(&held)), "{given:?}");
            }
        }
        // Rows with one prompt and different completions are no copies.
        let text: String =
            (0..10).map(|i| format!("{{\"prompt\":\"a haiku\",\"completion\":\"{i}\"}}\n")).collect();
        let haikus = dataset::read("x.jsonl", text.as_bytes()).unwrap();
        let (train, held) = draw(haikus, Draw { hold_out: 3, ..Draw::default() }).unwrap();
        assert_eq!((train.len(), held.unwrap().len()), (7, 3));
        // All ten texts are held out.
        let error = draw(data, Draw { hold_out: 39, ..Draw::default() }).unwrap_err();
        let says = "expected rows to train on whose texts are not held out, found none; the file has 40 rows with 10 different texts";
        assert!(error.message().ends_with(says), "{error}");
    }

    #[test]
    fn too_few_rows_are_said() {
        for (given, says) in [
            (Draw { shots: 11, ..Draw::default() }, "of the class \"b\", found 10"),
            (Draw { hold_out: 40, ..Draw::default() }, "expected rows to train on"),
            (
                Draw { shots: 5, hold_out: 26, data_seed: 0 },
                "expected 26 rows to hold out whose texts are not drawn, found 25",
            ),
            (Draw { hold_out: u32::MAX, ..Draw::default() }, "found 40"),
        ] {
            let error = draw(data(), given).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.message().starts_with("x.csv: ") && error.message().contains(says), "{error}");
        }
        let plain = dataset::read("x.txt", b"a b c").unwrap();
        assert!(draw(plain, Draw { shots: 1, ..Draw::default() }).is_err());
    }
}
