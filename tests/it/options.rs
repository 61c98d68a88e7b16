//! The options of a run have a single definition, in `src/train/options.rs` and `method_options.rs`. These tests write and compare
//! their TypeScript types, and compare what they resolve to with the task's defaults, the presets and a trajectory's header.
#![cfg(not(target_arch = "wasm32"))]

use std::any::TypeId;
use std::fmt::Write;

use crate::common::golden;
use clap::{Arg, Args, Command};
use pocketllm::format::config::Config;
use pocketllm::model::{ModelSpec, family};
use pocketllm::text::task;
use pocketllm::train::{Draw, Header, LoraA, Method, MethodOptions, Options, Rate, Settings, preset};
use pocketllm::zo::estimator::{Estimator, EstimatorKind};
use pocketllm::zo::optimizer::{AdamSettings, Optimizer};

const TYPESCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/www/src/package/types/options.ts");

/// Converts `lora_rank` to `loraRank`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

/// The kind of an option's value, as `www/src/package/options.ts` checks it, and its type.
fn kind(arg: &Arg) -> (String, String) {
    let choices: Vec<String> = arg
        .get_possible_values()
        .iter()
        .flat_map(|value| value.get_name_and_aliases().map(|name| format!("'{name}'")).collect::<Vec<_>>())
        .collect();
    let value = arg.get_value_parser().type_id();
    let plain = |kind: &str, of: &str| (format!("'{kind}'"), of.to_owned());
    if value == TypeId::of::<bool>() {
        plain("boolean", "boolean")
    } else if !choices.is_empty() {
        (format!("[{}]", choices.join(", ")), choices.join(" | "))
    } else if arg.get_id() == "seed" {
        plain("seed", "number | bigint | string")
    } else if value == TypeId::of::<Rate>() {
        plain("rate", "number | 'auto'")
    } else if value == TypeId::of::<u32>() || value == TypeId::of::<u64>() {
        plain("count", "number")
    } else if value == TypeId::of::<f32>() {
        plain("number", "number")
    } else {
        plain("strings", "readonly string[]")
    }
}

/// A constant with the options' kinds and an interface, for the arguments of `A` that are not in `listed` yet.
fn typescript<A: Args>(name: &str, extends: &str, what: &str, listed: &mut Vec<String>) -> String {
    let command = A::augment_args(Command::new("pocketllm"));
    let (mut kinds, mut fields) = (String::new(), String::new());
    for arg in command.get_arguments().filter(|arg| !listed.contains(&arg.get_id().to_string())) {
        let (option, (kind, of)) = (camel_case(arg.get_id().as_str()), kind(arg));
        writeln!(kinds, "  {option}: {kind},").unwrap();
        writeln!(fields, "  /** {} */\n  readonly {option}?: {of} | undefined;", arg.get_help().unwrap())
            .unwrap();
    }
    listed.extend(command.get_arguments().map(|arg| arg.get_id().to_string()));
    let constant = name.chars().fold(String::new(), |text, c| {
        if c.is_uppercase() && !text.is_empty() {
            text + "_" + &c.to_string()
        } else {
            text + &c.to_uppercase().to_string()
        }
    });
    format!(
        "/** The kinds of {{@link {name}}}. */\nexport const {constant} = {{\n{kinds}}} as const;\n\n/** {what} */\nexport interface {name}{extends} {{\n{fields}}}\n"
    )
}

#[test]
fn the_typescript_types_are_those_of_the_options() {
    let mut listed = Vec::new();
    let method = typescript::<MethodOptions>(
        "MethodOptions",
        "",
        "What is trained, and how the gradient is estimated.",
        &mut listed,
    );
    let run = typescript::<Options>(
        "RunOptions",
        " extends MethodOptions",
        "All options of a run but those of the data.",
        &mut listed,
    );
    let draw =
        typescript::<Draw>("DrawOptions", "", "The rows of a data file that are drawn.", &mut Vec::new());
    let text = format!(
        "/**\n * The options of a run, written from src/train/options.rs: change them there, then run\n \
         * `POCKETLLM_WRITE=1 cargo test --test it typescript`.\n */\n\n{method}\n{run}\n{draw}"
    );
    if std::env::var("POCKETLLM_WRITE").is_ok_and(|write| write == "1") {
        std::fs::write(TYPESCRIPT, &text).unwrap();
    }
    let committed = std::fs::read_to_string(TYPESCRIPT).unwrap();
    assert!(
        committed == text,
        "{TYPESCRIPT} differs from src/train/options.rs: POCKETLLM_WRITE=1 writes it again"
    );
}

fn spec() -> ModelSpec {
    family::spec(&Config::parse("config.json", golden::file("bert", "config.json")).unwrap()).unwrap()
}

/// LoRA with default sizes.
fn lora(a: LoraA) -> Method {
    Method::Lora { rank: 8, alpha: 16.0, targets: vec!["q".into(), "v".into()], a }
}

#[test]
fn given_values_win_over_the_tasks_and_those_over_presets() {
    let (spec, sst2) = (spec(), task::find("sst-2").unwrap());
    let none = Options::default();
    let begin = preset(&spec, &Method::Full, &Estimator::default(), Optimizer::Sgd, false);
    let plain = none.resolve(&spec, None).unwrap();
    assert_eq!((plain.steps, plain.batch_size, plain.max_length), (1000, 16, 0));
    assert_eq!((plain.learning_rate, plain.epsilon), (begin.learning_rate, begin.epsilon));
    let of_task = none.resolve(&spec, Some(sst2)).unwrap();
    assert_eq!((of_task.steps, of_task.batch_size, of_task.max_length), (100_000, 64, 256));
    // As given by a page.
    let given: Options = serde_json::from_str(
        r#"{ "steps": 10, "method": "lora", "estimator": "mezo", "learningRate": 1e-3, "seed": "18446744073709551615" }"#,
    ).unwrap();
    let both = given.resolve(&spec, Some(sst2)).unwrap();
    assert_eq!((both.steps, both.batch_size, both.weight_decay), (10, 64, 0.1));
    assert_eq!((both.learning_rate, both.seed, &both.method), (1e-3, u64::MAX, &lora(LoraA::Activations)));
    assert_eq!(both.optimizer, Optimizer::Adam(AdamSettings::default()));
    // LoRA as in its paper, and LoRA with momentum, use plain steps.
    for more in [r#""loraA": "trained""#, r#""loraA": "frozen""#, r#""momentum": 0.9"#] {
        let text = format!(r#"{{ "method": "lora", {more} }}"#);
        let given: Options = serde_json::from_str(&text).unwrap();
        assert_eq!(given.resolve(&spec, None).unwrap().optimizer, Optimizer::Sgd, "{more}");
    }
    // With twice as many trained values, Adam's rate is divided by 2^0.86.
    let rate = |rank| {
        let options: Options =
            serde_json::from_str(&format!(r#"{{ "method": "lora", "loraRank": {rank} }}"#)).unwrap();
        options.resolve(&spec, None).unwrap().learning_rate
    };
    assert!((rate(512) * 1.815 - rate(256)).abs() < 0.05 * rate(256), "{} {}", rate(512), rate(256));
}

#[test]
fn a_named_preset_is_what_its_options_are() {
    let given = |text: &str| serde_json::from_str::<Options>(text).unwrap();
    let written = r#"{ "method": "lora", "loraTargets": ["all-linear"], "estimator": "one-sided", "schedule": "linear", "balanced": true }"#;
    let resolve = |text: &str| given(text).resolve(&spec(), None).unwrap();
    assert_eq!(resolve(r#"{ "preset": "lowest-loss" }"#), resolve(written));
    let mixed = resolve(r#"{ "preset": "lowest-loss", "loraRank": 4, "schedule": "constant", "probes": 4 }"#);
    assert_eq!((mixed.estimator.kind, mixed.estimator.probes), (EstimatorKind::OneSided, 4));
    assert_eq!(mixed.schedule, pocketllm::zo::schedule::Schedule::Constant);
    for (option, is_balanced) in
        [(r#""balanced": false"#, false), (r#""sequential": true"#, false), (r#""loraRank": 4"#, true)]
    {
        assert_eq!(
            resolve(&format!(r#"{{ "preset": "lowest-loss", {option} }}"#)).balanced,
            is_balanced,
            "{option}"
        );
    }
    for (text, part) in [
        (
            r#"{ "sequential": true, "balanced": true }"#,
            "sequential and balanced: expected at most one of them",
        ),
        (r#"{ "preset": "lowest-loss", "method": "full" }"#, "the preset: expected method lora, found full"),
        (r#"{ "preset": "lowest-loss", "method": "readout" }"#, "preset: expected another method"),
        (r#"{ "refitEvery": 5 }"#, "refit every 5: expected a readout that is fitted before the first step"),
        (r#"{ "method": "readout", "refitEvery": 5 }"#, "refit every: expected another method"),
    ] {
        let error = given(text).resolve(&spec(), None).unwrap_err();
        assert!(error.message().contains(part), "{text}: {error}");
    }
}

#[test]
fn values_of_another_method_are_refused() {
    let given = |text: &str| serde_json::from_str::<Options>(text).unwrap();
    for (text, part) in [
        (r#"{ "loraRank": 4 }"#, "LoRA's rank: expected method lora, found full"),
        (
            r#"{ "method": "prefix", "loraTargets": ["q"] }"#,
            "LoRA's targets: expected method lora, found prefix",
        ),
        (
            r#"{ "method": "lora", "prefixLength": 5 }"#,
            "the prefix length: expected method prefix, found lora",
        ),
        (r#"{ "loraA": "frozen" }"#, "LoRA's factor A: expected method lora, found full"),
        (
            r#"{ "method": "lora", "loraA": "trained", "beta1": 0.5 }"#,
            "beta1: expected optimizer adam, found sgd",
        ),
        (
            r#"{ "method": "lora", "optimizer": "adam", "beta2": 1 }"#,
            "beta2: expected at least 0 and less than 1, found 1",
        ),
        (
            r#"{ "method": "lora", "optimizer": "adam", "momentum": 0.9 }"#,
            "momentum is a setting of optimizer sgd",
        ),
        (r#"{ "optimizer": "adam" }"#, "on the host: expected method lora or prefix, found full"),
    ] {
        let error = given(text).check().unwrap_err();
        assert!(error.message().contains(part), "{error}");
    }
    let adapter = Method::Lora { rank: 4, alpha: 8.0, targets: vec!["q".into()], a: LoraA::Trained };
    let options = given(r#"{ "method": "lora", "loraRank": 4 }"#).for_adapter(&adapter).unwrap();
    assert_eq!(options.method.method(), adapter);
    let error = given(r#"{ "loraRank": 16 }"#).for_adapter(&adapter).unwrap_err();
    assert!(error.message().contains("the adapter has rank 4, alpha 8, targets q"), "{error}");
}

#[test]
fn the_options_of_a_trajectory_give_its_run_again() {
    let spec = spec();
    let adam = Optimizer::Adam(AdamSettings { beta1: 0.5, ..AdamSettings::default() });
    for (method, kind, optimizer) in [
        (
            Method::Lora { rank: 16, alpha: 8.0, targets: vec!["q".into(), "up".into()], a: LoraA::Frozen },
            EstimatorKind::OneSided,
            adam,
        ),
        (Method::Prefix { length: 3 }, EstimatorKind::TwoPoint, Optimizer::Sgd),
        (Method::Full, EstimatorKind::LowRank, Optimizer::Sgd),
    ] {
        let settings = Settings {
            method,
            estimator: Estimator { probes: 4, clip: 2.0, ..Estimator::new(kind) },
            optimizer,
            trainable: vec!["*attention*".into()],
            objective: pocketllm::train::Objective::Accuracy,
            micro_batch: 3,
            weight_decay: 0.5,
            seed: u64::MAX,
            max_length: 32,
            ..Settings::default()
        };
        let header = Header {
            family: "bert".into(),
            parameters: 1,
            settings: settings.clone(),
            dtype: "f32".into(),
            ..Header::default()
        };
        // Through JSON, as in JavaScript.
        let text = serde_json::to_string(&Options::of(&header)).unwrap();
        let again: Options = serde_json::from_str(&text).unwrap();
        assert_eq!(again.resolve(&spec, None).unwrap(), settings, "{text}");
        // And as in the file.
        let file = serde_json::to_string(&header).unwrap();
        assert_eq!(serde_json::from_str::<Header>(&file).unwrap(), header, "{file}");
    }
}
