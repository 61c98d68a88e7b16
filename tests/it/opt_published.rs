//! A model with exactly the files of facebook/opt-1.3b: `pytorch_model.bin` in f16, `vocab.json` and `merges.txt`, and neither a
//! model.safetensors nor a tokenizer.json. `tests/golden/published.py` generated it, and transformers computed the values.

use std::rc::Rc;

use crate::common::compare::numbers;
use crate::common::{device_test, golden};
use pocketllm::dtype::DType;
use pocketllm::gpu::Backend;
use pocketllm::model::{Extent, Sampling};
use pocketllm::text::dataset;
use pocketllm::train::{ExampleEncoder, Session, Settings, Trainer};
use serde_json::Value;

const FOLDER: &str = "opt-published";

/// The golden rows as a data file.
fn data(golden: &Value) -> Vec<u8> {
    let rows = golden["rows"].as_array().unwrap().iter();
    rows.map(|row| format!("{row}\n")).collect::<String>().into_bytes()
}

device_test! {
    async fn a_published_opt_is_read_evaluated_and_trained(backend: Rc<dyn Backend>) {
        let golden = golden::json(FOLDER, "expected.json");
        let dir = golden::dir(FOLDER);
        let mut session = Session::open(backend, &dir, DType::F32, &mut |_| Ok(())).await.unwrap();
        for case in golden["cases"].as_array().unwrap() {
            let ids = session.tokenizer().unwrap().encode(case["prompt"].as_str().unwrap(), true).unwrap();
            assert_eq!(ids, numbers(&case["ids"]));
            let greedy = numbers(&case["greedy"]);
            let tokens = (ids.len() + greedy.len()) as u32;
            let (model, _) =
                session.prepare(Extent { branches: 1, tokens, targets: tokens, labels: 0 }).unwrap();
            let mut generation = model.generate(&ids, greedy.len() as u32, Sampling::default()).unwrap();
            for right in greedy {
                assert_eq!(generation.next(model, [0, 0]).await.unwrap(), Some(right), "{case}");
            }
        }
        let encoder = ExampleEncoder::LanguageModel;
        let data = dataset::read("x.jsonl", &data(&golden)).unwrap();
        let examples = encoder.encode(&session, &data, 64).unwrap();
        let report = session.evaluate(&encoder, &examples, &mut || Ok(())).await.unwrap();
        let right = golden["loss"].as_f64().unwrap();
        assert!((report.loss - right).abs() < 1e-4 * right, "{} {right}", report.loss);
        let settings = Settings { steps: 3, learning_rate: 1e-4, ..Settings::default() };
        let mut trainer =
            Trainer::new(&session, settings, encoder.clone(), None, examples.clone()).unwrap();
        while trainer.step(&mut session).await.unwrap().is_some() {}
        trainer.settle(&mut session).await.unwrap();
        let trained = session.evaluate(&encoder, &examples, &mut || Ok(())).await.unwrap();
        assert!(trained.loss.is_finite() && trained.loss != report.loss, "{trained:?}");
    }
}

/// The command line trains the model, and opens the weights that it saved.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn the_command_line_trains_a_published_opt() {
    let dir = tempfile::tempdir().unwrap();
    let golden = golden::json(FOLDER, "expected.json");
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("rows.jsonl"), data(&golden)).unwrap();
    let run = |args: &[&str]| -> Value {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pocketllm"));
        let output = command.args(["--json", "--device", "cpu"]).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    };
    let (model, rows, out) = (golden::path(FOLDER), path("rows.jsonl"), path("out"));
    let report = run(&["evaluate", "--model", &model, "--eval", &rows]);
    let right = golden["loss"].as_f64().unwrap();
    assert!((report["loss"].as_f64().unwrap() - right).abs() < 1e-4 * right, "{report}");
    run(&[
        "finetune",
        "--model",
        &model,
        "--train",
        &rows,
        "--steps",
        "2",
        "--lr",
        "1e-9",
        "--save-model",
        "--out",
        &out,
    ]);
    for name in
        ["config.json", "vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json"]
    {
        std::fs::write(format!("{out}/{name}"), golden::file(FOLDER, name)).unwrap();
    }
    for case in golden["cases"].as_array().unwrap() {
        let prompt = case["prompt"].as_str().unwrap();
        let made =
            run(&["generate", "--model", &out, "--prompt", prompt, "--max-tokens", "8", "--ignore-eos"]);
        assert_eq!((&made["prompt_ids"], &made["ids"]), (&case["ids"], &case["greedy"]), "{prompt:?}");
    }
}
