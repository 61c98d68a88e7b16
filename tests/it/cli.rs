//! The command line from a user's perspective: the compiled binary, its files, its exit codes, and a run that is killed again and
//! again. On the GPU; if there is none and `POCKETLLM_REQUIRE_GPU` is not 1, on the CPU reference kernels.
#![cfg(not(target_arch = "wasm32"))]

use std::path::Path;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::binary::{TEMPLATE, binary, device, done, json, path, run, stderr};
use crate::common::golden;
use pocketllm::rng::threefry2x32;
use pocketllm::train::Trajectory;
use pocketllm::zo::record::RECORD_BYTES;
use serde_json::Value;

const STEPS: usize = 150;
const KILLS: usize = 20;

/// The run that every test here repeats.
fn finetune(out: &Path, more: &[&str]) -> Command {
    let (model, data) = (golden::path("bert"), golden::path("bert/train.csv"));
    let steps = STEPS.to_string();
    let mut command = binary(&["--json", "--device", device(), "finetune", "--model", &model]);
    command.args(["--train", &data, "--eval", &data, "--eval-every", "40"]);
    command.args(["--template", TEMPLATE, "--labels", "great,terrible", "--steps", &steps]);
    command.args(["--batch-size", "8", "--lr", "1e-3", "--weight-decay", "0.1", "--schedule", "linear"]);
    command.args(["--seed", "7", "--save-model", "--out"]).arg(out).args(more);
    command
}

/// The output of the uninterrupted run.
struct Reference {
    trajectory: Vec<u8>,
    weights: Vec<u8>,
    log: Vec<Value>,
    took: Duration,
}

fn reference() -> &'static Reference {
    static REFERENCE: OnceLock<Reference> = OnceLock::new();
    REFERENCE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let start = Instant::now();
        done("the uninterrupted run", &finetune(dir.path(), &[]).output().unwrap());
        let took = start.elapsed();
        let reference = Reference {
            trajectory: std::fs::read(dir.path().join("trajectory.pocket")).unwrap(),
            weights: std::fs::read(dir.path().join("model.safetensors")).unwrap(),
            log: log(dir.path()),
            took,
        };
        assert_eq!(Trajectory::parse("t", &reference.trajectory).unwrap().records.len(), STEPS);
        assert_ne!(reference.weights, std::fs::read(golden::path("bert/model.safetensors")).unwrap());
        reference
    })
}

/// The log's lines, without the fields that the trajectory cannot restore for a lost line: its time and tokens.
fn log(dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("log.jsonl")).unwrap();
    let without_time = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().retain(|name, _| name != "ms" && name != "tokens");
        line
    };
    text.lines().map(without_time).collect()
}

/// A finished run's files are the same as those of the uninterrupted run.
fn same_as_uninterrupted(dir: &Path) {
    let reference = reference();
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
    assert!(read("trajectory.pocket") == reference.trajectory, "the trajectory differs");
    assert!(read("model.safetensors") == reference.weights, "the weights differ");
    let log = log(dir);
    let steps: Vec<u64> =
        log.iter().filter(|l| l.get("loss_plus").is_some()).filter_map(|l| l["step"].as_u64()).collect();
    assert_eq!(steps, (1..=STEPS as u64).collect::<Vec<_>>(), "the log's steps");
    // The evaluations are also the same, and in the same places, since they are computed from the same weights.
    assert_eq!(log, reference.log);
}

/// Bytes of records in a run's trajectory, including truncated ones.
fn written(dir: &Path, header: usize) -> usize {
    std::fs::metadata(dir.join("trajectory.pocket")).map_or(0, |m| (m.len() as usize).saturating_sub(header))
}

/// Waits until the child ends, but not longer than `until`. Returns whether it ended.
fn ended(child: &mut Child, until: Instant) -> bool {
    loop {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(left.min(Duration::from_millis(2)));
    }
}

#[test]
fn a_run_killed_twenty_times_ends_as_one_that_was_not() {
    let reference = reference();
    let header = reference.trajectory.len() - STEPS * RECORD_BYTES;
    let unit = |i: u32| f64::from(threefry2x32([20, 9], [i, 0])[0]) / 4_294_967_296.0;
    let mut dir = tempfile::tempdir().unwrap();
    let (mut kills, mut while_training, mut complete) = (0, 0, 0);
    let mut at = Vec::new();
    for turn in 0.. {
        assert!(turn < 200, "only {kills} kills");
        if kills == KILLS {
            break;
        }
        let before = written(dir.path(), header);
        let mut child = finetune(dir.path(), &["--resume"]).spawn().unwrap();
        let start = Instant::now();
        // One in four is killed at any moment after the start; the others once this process has taken a step.
        let mut alive = if turn % 4 == 0 {
            !ended(&mut child, start + Duration::from_secs_f64(0.05 + 0.95 * unit(2 * turn)))
        } else {
            let mut alive = true;
            while alive && written(dir.path(), header) == before {
                alive = !ended(&mut child, Instant::now() + Duration::from_millis(2));
            }
            alive && !ended(&mut child, Instant::now() + reference.took.mul_f64(0.3 * unit(2 * turn + 1)))
        };
        if alive {
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        // It may have ended by itself just before that.
        alive &= !output.status.success();
        if alive {
            #[cfg(unix)]
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(9));
            kills += 1;
            let bytes = std::fs::read(dir.path().join("trajectory.pocket")).unwrap_or_default();
            assert!(reference.trajectory.starts_with(&bytes), "kill {kills}: not the beginning of the run");
            let steps = written(dir.path(), header) / RECORD_BYTES;
            while_training += usize::from(steps > 0 && steps < STEPS);
            at.push(steps);
        } else {
            done("resumed", &output);
            same_as_uninterrupted(dir.path());
            complete += 1;
            dir = tempfile::tempdir().unwrap();
        }
    }
    done("the last part", &finetune(dir.path(), &["--resume"]).output().unwrap());
    same_as_uninterrupted(dir.path());
    println!("killed after the steps {at:?}; complete {complete} times before the last part");
    assert!(while_training >= KILLS / 2, "only {while_training} of {KILLS} kills came between two steps");
}

#[test]
fn a_torn_tail_is_reported_and_done_again() {
    let reference = reference();
    let header = reference.trajectory.len() - STEPS * RECORD_BYTES;
    for (missing, records) in [(1, 149), (31, 150), (17, 60), (8, 1)] {
        let dir = tempfile::tempdir().unwrap();
        let torn = RECORD_BYTES - missing;
        let length = header + records * RECORD_BYTES - missing;
        std::fs::write(dir.path().join("trajectory.pocket"), &reference.trajectory[..length]).unwrap();
        let output = finetune(dir.path(), &["--resume"]).output().unwrap();
        done("resumed", &output);
        let said = format!("the last record was cut off after {torn} bytes");
        assert!(stderr(&output).contains(&said), "{missing}: {}", stderr(&output));
        let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
        assert!(
            read("trajectory.pocket") == reference.trajectory,
            "{missing} bytes missing: the trajectory differs"
        );
        assert!(
            read("model.safetensors") == reference.weights,
            "{missing} bytes missing: the weights differ"
        );
    }
    // A run that was stopped within the header has not trained anything yet.
    for length in [0, 5, 16, header - 1] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("trajectory.pocket"), &reference.trajectory[..length]).unwrap();
        done("from the start", &finetune(dir.path(), &["--resume"]).output().unwrap());
        same_as_uninterrupted(dir.path());
    }
}

#[test]
fn a_damaged_log_is_put_right() {
    let dir = tempfile::tempdir().unwrap();
    let trajectory = &reference().trajectory;
    std::fs::write(dir.path().join("trajectory.pocket"), trajectory).unwrap();
    let lines: Vec<String> = reference().log.iter().map(Value::to_string).collect();
    // A line truncated in the middle, a repeated line, and a line of a step that does not exist.
    let log = [&lines[..90], &lines[80..90], &["{\"step\":9999,\"loss_plus\":1}".to_owned()], &lines[91..]];
    let text = log.concat().join("\n").replace(&lines[20], &lines[20][..30]);
    std::fs::write(dir.path().join("log.jsonl"), text).unwrap();
    done("resumed", &finetune(dir.path(), &["--resume"]).output().unwrap());
    same_as_uninterrupted(dir.path());
}

#[test]
fn replay_is_the_same_on_the_cpu_and_on_the_gpu() {
    let dir = tempfile::tempdir().unwrap();
    let trajectory = path(dir.path(), "trajectory.pocket");
    std::fs::write(&trajectory, &reference().trajectory).unwrap();
    for on in ["cpu", device()] {
        let out = path(dir.path(), on);
        let args = ["--model", &golden::path("bert"), "--trajectory", &trajectory, "--out", &out];
        let output = run(&[&["--json", "--device", on, "replay"], &args[..]].concat());
        done(on, &output);
        let model = json(&output)["model"].as_str().unwrap().to_owned();
        assert!(std::fs::read(model).unwrap() == reference().weights, "{on}: other weights");
    }
}

#[test]
fn exit_codes_and_json_errors() {
    let dir = tempfile::tempdir().unwrap();
    let out = path(dir.path(), "run");
    let broken = path(dir.path(), "broken");
    std::fs::create_dir(&broken).unwrap();
    std::fs::copy(golden::path("bert/config.json"), dir.path().join("broken/config.json")).unwrap();
    std::fs::write(dir.path().join("broken/model.safetensors"), [0xff; 64]).unwrap();
    let (model, data) = (golden::path("bert"), golden::path("bert/train.csv"));
    let tune = |more: &[&str]| {
        let all = ["finetune", "--device", "cpu", "--model", &model, "--train", &data, "--out", &out];
        let prompt = ["--template", TEMPLATE, "--labels", "great,terrible", "--steps", "1"];
        [&all[..], &prompt, more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let logits = |model: &str| {
        ["logits", "--device", "cpu", "--model", model, "--ids", "5", "--out", &out]
            .map(str::to_owned)
            .to_vec()
    };
    for (args, status, code, says) in [
        (tune(&["--no-such-flag"]), 2, "invalid-argument", "--no-such-flag"),
        (tune(&["--batch-size", "many"]), 2, "invalid-argument", "--batch-size"),
        (vec!["dance".to_owned()], 2, "invalid-argument", "dance"),
        (tune(&["--lr", "NaN"]), 2, "invalid-argument", "learning rate is NaN"),
        (tune(&["--batch-size", "0"]), 2, "invalid-argument", "batch size is 0"),
        (logits("/no/such/model"), 2, "invalid-argument", "/no/such/model"),
        (logits(&broken), 1, "file-corrupt", "model.safetensors: expected a header of at most 56 bytes"),
    ] {
        let plain: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = run(&plain);
        assert_eq!(output.status.code(), Some(status), "{plain:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty() && stderr(&output).contains(says), "{plain:?}: {}", stderr(&output));
        let output = run(&[&["--json"], &plain[..]].concat());
        assert_eq!(output.status.code(), Some(status));
        let error = json(&output)["error"].clone();
        assert_eq!(error["code"], code, "{plain:?}: {error}");
        assert!(error["message"].as_str().unwrap().contains(says), "{plain:?}: {error}");
        assert!(!Path::new(&out).exists(), "{plain:?}: a refused run must leave nothing");
    }
    for args in [&["--help"][..], &["--version"], &["--json", "finetune", "--help"]] {
        let output = run(args);
        done("help", &output);
        assert!(!output.stdout.is_empty() && output.stderr.is_empty());
    }
}

#[test]
fn an_existing_run_is_not_overwritten_nor_mixed_with_another() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trajectory.pocket");
    std::fs::write(&file, &reference().trajectory).unwrap();
    for (more, status, code, says) in [
        (&[][..], 2, "invalid-argument", "--resume"),
        (&["--resume", "--seed=8"], 2, "invalid-argument", "--seed"),
        (&["--resume", "--eps=2e-3"], 1, "trajectory-mismatch", "epsilon"),
        (&["--resume", "--max-length=9"], 1, "trajectory-mismatch", "max_length"),
        // The run of the trajectory has none of these settings.
        (&["--resume", "--trainable=*attention*"], 1, "trajectory-mismatch", "without trainable"),
        (&["--resume", "--balanced"], 1, "trajectory-mismatch", "without balanced"),
        (&["--resume", "--sequential"], 1, "trajectory-mismatch", "without sequential"),
    ] {
        let output = finetune(dir.path(), more).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{more:?}: {}", stderr(&output));
        let error = json(&output)["error"].clone();
        assert!(
            error["code"] == code && error["message"].as_str().unwrap().contains(says),
            "{more:?}: {error}"
        );
        assert!(std::fs::read(&file).unwrap() == reference().trajectory, "{more:?}: the run was changed");
    }
    // A file that is not a trajectory belongs to no run, and must not be overwritten, however short it is.
    std::fs::write(&file, b"my notes").unwrap();
    let output = finetune(dir.path(), &["--resume"]).output().unwrap();
    assert_eq!((output.status.code(), &json(&output)["error"]["code"]), (Some(1), &"file-corrupt".into()));
    assert_eq!(std::fs::read(&file).unwrap(), b"my notes");
}

#[test]
fn evaluate_knows_the_prompt_from_the_trajectory() {
    let dir = tempfile::tempdir().unwrap();
    let trajectory = path(dir.path(), "t.pocket");
    std::fs::write(&trajectory, &reference().trajectory).unwrap();
    let (model, data) = (golden::path("bert"), golden::path("bert/train.csv"));
    let evaluate = |more: &[&str]| {
        let all = ["--json", "--device", device(), "evaluate", "--model", &model, "--eval", &data];
        let output = run(&[&all[..], more].concat());
        done("evaluate", &output);
        json(&output)
    };
    let base = evaluate(&["--template", TEMPLATE, "--labels", "great,terrible"]);
    let tuned = evaluate(&["--trajectory", &trajectory]);
    let logged = |step: usize| {
        let at = |l: &&Value| l["step"] == step && l.get("eval_loss").is_some();
        reference().log.iter().find(at).unwrap().clone()
    };
    for (found, logged) in [(&base, logged(0)), (&tuned, logged(STEPS))] {
        assert_eq!(found["examples"], 60);
        assert_eq!(found["loss"], logged["eval_loss"]);
        assert_eq!(found["accuracy"], logged["eval_accuracy"]);
        assert_eq!(found["interval"], logged["eval_interval"]);
        assert_eq!(found["per_label"], logged["eval_per_label"]);
    }
    assert!(tuned["loss"].as_f64() < base["loss"].as_f64(), "{tuned} is not better than {base}");
}

#[test]
fn a_run_takes_what_was_planned_and_is_refused_where_that_is_too_much() {
    let dir = tempfile::tempdir().unwrap();
    let output = binary(&["--json", "--device", device(), "finetune", "--model", &golden::path("bert")])
        .args([
            "--train",
            &golden::path("bert/train.csv"),
            "--eval",
            &golden::path("bert/train.csv"),
            "--template",
            TEMPLATE,
        ])
        .args([
            "--labels",
            "great,terrible",
            "--steps",
            "30",
            "--batch-size",
            "8",
            "--micro-batch",
            "3",
            "--out",
        ])
        .arg(dir.path().join("run"))
        .output()
        .unwrap();
    done("the run", &output);
    let place = if device() == "cpu" { "memory on the processor: at most" } else { "GPU memory on " };
    assert!(stderr(&output).contains(place), "{}", stderr(&output));
    let result = json(&output);
    let planned = result["plan"]["peak"].as_u64().unwrap();
    // The CPU reference kernels have no uniforms, which are most of what such a small model transfers.
    let uniforms = if device() == "cpu" { result["plan"]["transfer"].as_u64().unwrap() } else { 0 };
    let apart = result["gpu_bytes"]["peak"].as_u64().unwrap().abs_diff(planned);
    assert!(apart * 100 <= planned + uniforms * 100, "{result}");

    let refused =
        finetune(dir.path(), &["--max-gpu-bytes", &(planned - 40_000).to_string()]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let error = json(&refused)["error"].clone();
    assert_eq!(error["code"], "out-of-memory");
    assert!(error["message"].as_str().unwrap().contains("; --dtype f16 would take "), "{error}");
    assert!(!dir.path().join("log.jsonl").exists());

    let config = format!("{}/tests/configs/opt-1.3b.json", env!("CARGO_MANIFEST_DIR"));
    let plan = run(&[
        "--json", "--limits", "default", "plan", "--config", &config, "--dtype", "q4", "--method", "lora",
    ]);
    done("plan", &plan);
    assert!(json(&plan)["weights"].as_u64().unwrap() > 700_000_000);
}
