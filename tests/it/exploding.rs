//! Runs that explode are stopped, with their record truncated to the last good step, and with advice that names the setting at
//! fault. On the CPU reference kernels.
#![cfg(not(target_arch = "wasm32"))]

use std::path::Path;
use std::process::Output;

use pocketllm::train::Trajectory;

use crate::binary::{TEMPLATE, json, on_cpu};
use crate::common::golden;

fn finetune(out: &Path, more: &[&str]) -> Output {
    let (model, data) = (golden::path("bert"), golden::path("bert/train.csv"));
    let args = ["finetune", "--model", &model, "--train", &data, "--batch-size", "4", "--seed", "7"];
    let prompt = ["--template", TEMPLATE, "--labels", "great,terrible"];
    on_cpu(&[&args[..], &prompt, &["--out", out.to_str().unwrap()], more].concat()).output().unwrap()
}

#[test]
fn an_exploded_run_is_stopped_with_its_good_steps() {
    let dir = tempfile::tempdir().unwrap();
    let steps = ["--steps", "60"];
    for (index, (more, setting, value)) in [
        (&["--lr", "1"][..], "learning rate 1 is too large", "learning rate of 2e-5"),
        (&["--lr", "0.05"], "learning rate 0.05 is too large", "learning rate of 2e-5"),
        (&["--lr", "1e30"], "learning rate 1e30 is too large", "learning rate of 2e-5"),
        (
            &["--lr", "10", "--estimator", "one-sided"],
            "learning rate 10 is too large",
            "learning rate of 2e-4",
        ),
        (&["--eps", "10"], "epsilon is too large", "epsilon of 1e-3"),
        (&["--eps", "1e38"], "epsilon is too large", "epsilon of 1e-3"),
    ]
    .into_iter()
    .enumerate()
    {
        let out = dir.path().join(index.to_string());
        let output = finetune(&out, &[&steps[..], more].concat());
        assert_eq!(output.status.code(), Some(1), "{more:?}");
        let error = &json(&output)["error"];
        assert_eq!(error["code"], "non-finite-loss", "{more:?}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(setting) && message.contains(value), "{more:?}: {message}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("Use a smaller epsilon"), "{more:?}");

        // Log and record agree, and yield weights that are still good.
        let bytes = std::fs::read(out.join("trajectory.pocket")).unwrap();
        let kept = Trajectory::parse("t", &bytes).unwrap();
        let log = std::fs::read_to_string(out.join("log.jsonl")).unwrap();
        assert_eq!(log.lines().count(), kept.records.len() / kept.header.settings.estimator.probes as usize);
        assert!(!log.contains("null"), "{log}");
        let (model, data) = (golden::path("bert"), golden::path("bert/train.csv"));
        let trajectory = out.join("trajectory.pocket");
        let replayed = ["--trajectory", trajectory.to_str().unwrap(), "--eval", &data];
        let report = on_cpu(&[&["evaluate", "--model", &model][..], &replayed].concat()).output().unwrap();
        assert!(json(&report)["loss"].as_f64().unwrap() < 4.0 * 2.3, "{more:?}: {}", json(&report));
    }
}

#[test]
fn a_run_that_explodes_explodes_again_when_it_is_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| finetune(dir.path(), &[&["--steps", "60", "--lr", "0.05"][..], more].concat());
    let first = json(&run(&[]));
    let record = std::fs::read(dir.path().join("trajectory.pocket")).unwrap();
    assert_eq!(json(&run(&["--resume"])), first);
    assert!(std::fs::read(dir.path().join("trajectory.pocket")).unwrap() == record);
}

#[test]
fn a_loss_that_is_not_there_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let done = json(&finetune(dir.path(), &["--steps", "2"]));
    assert!(done["loss"].is_number() && done.get("eval_loss").is_none(), "{done}");
}

#[test]
fn a_run_whose_last_step_explodes_has_failed() {
    let dir = tempfile::tempdir().unwrap();
    let data = golden::path("bert/train.csv");
    for (index, (more, good)) in [
        (&["--steps", "1", "--lr", "1e30"][..], 0),
        (&["--steps", "1", "--lr", "1e30", "--save-model"], 0),
        // The loss of a held-out evaluation is the first that is not finite.
        (&["--steps", "1", "--lr", "1e30", "--eval", &data], 0),
        (&["--steps", "9", "--lr", "1e30", "--eval", &data, "--eval-every", "1"], 0),
        // Predictions from scores that are not finite have an accuracy. Only step 8 moves the weights.
        (&["--steps", "9", "--lr", "1e30", "--objective", "accuracy", "--eps", "1"], 7),
    ]
    .into_iter()
    .enumerate()
    {
        let out = dir.path().join(index.to_string());
        let output = finetune(&out, more);
        let error = &json(&output)["error"];
        assert_eq!((output.status.code(), &error["code"]), (Some(1), &"non-finite-loss".into()), "{more:?}");
        let message = error["message"].as_str().unwrap();
        let says = ["step ", "the learning rate 1e30 is too large", "Start a new run with"];
        assert!(says.iter().all(|part| message.contains(part)), "{more:?}: {message}");
        let kept = Trajectory::parse("t", &std::fs::read(out.join("trajectory.pocket")).unwrap()).unwrap();
        assert_eq!(kept.steps(), good, "{more:?}: {message}");
        assert!(!out.join("model.safetensors").exists(), "{more:?}");
    }
}

#[test]
fn a_run_that_ends_far_worse_than_it_began_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let bad = finetune(&dir.path().join("bad"), &["--steps", "1", "--lr", "1"]);
    let warning = json(&bad)["warning"].as_str().unwrap_or_default().to_owned();
    let says = ["the loss after the last step is", "before the first step", "learning rate 1 is too large"];
    assert!(bad.status.success() && says.iter().all(|part| warning.contains(part)), "{warning}");
    assert!(String::from_utf8_lossy(&bad.stderr).contains(&warning));
    let good = json(&finetune(&dir.path().join("good"), &["--steps", "1"]));
    assert!(good["warning"].is_null(), "{good}");
}
