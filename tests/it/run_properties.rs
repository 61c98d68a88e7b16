//! Properties of all runs: batches lose nothing, orders and rates depend only on the step, every GPU has tiles, and every run
//! replays and resumes to the same bits. POCKETLLM_CASES is the number of random cases for each test.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeSet;

use pocketllm::dtype::DType;
use pocketllm::gemm::Choice;
use pocketllm::gemm::tiles::TILES;
use pocketllm::gpu::Limits;
use pocketllm::reference::Host;
use pocketllm::text::batch::Batch;
use pocketllm::text::encode::{Example, Target};
use pocketllm::train::{LoraA, Method, Settings};
use pocketllm::zo::estimator::{Estimator, EstimatorKind};
use pocketllm::zo::random::{Distribution, Order};
use pocketllm::zo::schedule::Schedule;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::replays::check_run;
use crate::text_properties::config;

fn example() -> impl Strategy<Value = Example> {
    vec((any::<u32>(), prop::option::of(0_u32..9)), 1..12).prop_map(|tokens| Example {
        ids: tokens.iter().map(|(id, _)| *id).collect(),
        targets: (0..)
            .zip(&tokens)
            .filter_map(|(position, (_, label))| label.map(|label| Target { position, label }))
            .collect(),
        ..Example::default()
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    let sizes = select(&[0_u32, 4, 8, 16, 32, 64, 128][..]);
    (any::<[bool; 4]>(), sizes.clone(), sizes).prop_map(
        |([software, matrix_units, shader_f16, subgroups], subgroup, lanes)| Limits {
            software,
            subgroup,
            subgroups,
            // Either all subgroups have the same size, or it is unknown.
            lanes: if subgroups && lanes == subgroup { lanes } else { 0 },
            matrix_units: matrix_units && shader_f16 && lanes == 32,
            shader_f16,
            ..Limits::WEBGPU_DEFAULT
        },
    )
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn a_packed_batch_has_every_example(examples in vec(example(), 0..9)) {
        let batch = Batch::pack(&examples.iter().collect::<Vec<_>>());
        prop_assert_eq!(batch.sequences(), examples.len());
        prop_assert_eq!(batch.tokens(), examples.iter().map(|e| e.ids.len()).sum::<usize>());
        prop_assert_eq!(batch.max_len(), examples.iter().map(|e| e.ids.len()).max().unwrap_or(0));
        for (index, example) in examples.iter().enumerate() {
            let (start, end) = (batch.cu_seqlens[index] as usize, batch.cu_seqlens[index + 1] as usize);
            prop_assert_eq!(&batch.ids[start..end], &example.ids[..]);
            prop_assert!(batch.positions[start..end].iter().copied().eq(0..example.ids.len() as u32));
            let targets = batch.example_targets[index] as usize..batch.example_targets[index + 1] as usize;
            let found = batch.targets[targets].iter().map(|t| (t.position - start as u32, t.label));
            prop_assert!(found.eq(example.targets.iter().map(|t| (t.position, t.label))));
        }
    }

    #[test]
    fn every_example_comes_once_in_an_epoch(
        seed in prop::option::of(any::<u64>()),
        labels in prop::option::of(vec(0_u32..4, 1..40)),
        examples in 1_usize..40,
        batch in 1_usize..12,
    ) {
        let begin = || match (seed, &labels) {
            (Some(seed), Some(labels)) => Order::balanced(seed, labels.clone()),
            _ => Order::new(seed, examples),
        };
        let mut order = begin();
        let examples = if seed.is_some() { labels.as_ref().map_or(examples, Vec::len) } else { examples };
        let steps = (3 * examples).div_ceil(batch) as u32;
        let all: Vec<(u32, Vec<usize>)> = (0..steps).map(|step| (step, order.batch(step, batch))).collect();
        let flat: Vec<usize> = all.iter().flat_map(|(_, batch)| batch.clone()).collect();
        for epoch in flat.chunks_exact(examples) {
            prop_assert_eq!(epoch.iter().collect::<BTreeSet<_>>().len(), examples);
        }
        // A resumed run may start at any step.
        for (step, expected) in all.iter().rev() {
            prop_assert_eq!(&begin().batch(*step, batch), expected);
            prop_assert_eq!(&order.batch(*step, batch), expected);
        }
    }

    #[test]
    fn a_learning_rate_never_rises(base in 1e-9_f32..1.0, steps in 1_u32..2000, linear in any::<bool>()) {
        let schedule = if linear { Schedule::Linear } else { Schedule::Constant };
        let rates: Vec<f32> = (0..steps).map(|step| schedule.rate(base, step, steps)).collect();
        prop_assert_eq!(rates[0], base);
        prop_assert!(rates.windows(2).all(|pair| pair[1] <= pair[0]));
        prop_assert!(rates.iter().all(|rate| *rate > 0.0));
    }

    #[test]
    fn every_gpu_has_tiles_that_it_can_run(here in limits(), there in limits(), tiles in vec(0..TILES.len() as u8, 6)) {
        prop_assert!(Choice::untuned(&here).check(&here).is_ok());
        let chosen = Choice { tiles: tiles.try_into().unwrap(), attention_in_registers: true };
        // In the form that a run records.
        prop_assert_eq!(chosen.to_string().parse::<Choice>().unwrap(), chosen);
        if chosen.check(&here).is_ok() {
            match chosen.moved_to(&there) {
                Ok(moved) => prop_assert!(moved.check(&there).is_ok()),
                Err(error) => prop_assert!(!there.shader_f16 || !there.matrix_units, "{error}"),
            }
            prop_assert_eq!(chosen.moved_to(&here).unwrap(), chosen);
        }
    }
}

fn lora(rank: u32, a: LoraA) -> Method {
    Method::Lora { rank, alpha: 2.0 * rank as f32, targets: vec!["q".to_owned(), "v".to_owned()], a }
}

fn settings() -> impl Strategy<Value = Settings> {
    let kinds = select(&[EstimatorKind::TwoPoint, EstimatorKind::OneSided, EstimatorKind::LowRank][..]);
    let methods = prop_oneof![
        Just(Method::Full),
        (1_u32..5, select(&[LoraA::Trained, LoraA::Frozen][..])).prop_map(|(rank, a)| lora(rank, a)),
        (1_u32..5).prop_map(|length| Method::Prefix { length }),
    ];
    let numbers =
        (1_u32..4, prop::bool::ANY, select(&[0.0_f32, 0.8][..]), select(&[0.0_f32, 0.1][..]), 1_u32..6);
    let others = (any::<u64>(), prop::bool::ANY, select(&[0.0_f32, 3.0][..]), 0_u32..3, 1_u32..5);
    (kinds, methods, numbers, others).prop_map(
        |(
            kind,
            method,
            (probes, signs, momentum, decay, interval),
            (seed, linear, clip, order, batch_size),
        )| {
            let mut estimator = Estimator { probes: probes.max(1), clip, momentum, ..Estimator::new(kind) };
            if signs {
                estimator.distribution = Distribution::Rademacher;
            }
            let mut method = method;
            if kind == EstimatorKind::LowRank {
                // Low-rank directions are those of whole matrices, and have no momentum.
                method = Method::Full;
                estimator.interval = interval;
                estimator.momentum = 0.0;
            }
            let schedule = if linear { Schedule::Linear } else { Schedule::Constant };
            Settings {
                steps: 8,
                batch_size,
                method,
                estimator,
                learning_rate: 1e-4,
                schedule,
                weight_decay: decay,
                seed,
                sequential: order == 1,
                balanced: order == 2,
                ..Settings::default()
            }
        },
    )
}

proptest! {
    #![proptest_config(config(12))]

    #[test]
    fn any_run_replays_and_resumes_to_the_same_bits(settings in settings(), dtype in select(&[DType::F32, DType::F16, DType::Q8_0][..])) {
        prop_assume!(settings.check().is_ok());
        let low_rank = settings.estimator.kind == EstimatorKind::LowRank;
        prop_assume!(!dtype.is_quantized() || settings.method != Method::Full || low_rank);
        let backend: std::rc::Rc<dyn pocketllm::gpu::Backend> = Host::open();
        pollster::block_on(check_run(&backend, "peft/blocks-llama", dtype, &settings));
    }
}
