//! The CPU backend: logits of every family, the bits of runs and replays, and the same results with any number of threads.
#![cfg(not(target_arch = "wasm32"))]

use std::rc::Rc;

use crate::common::golden;
use crate::goldens;
use crate::mezo::two_hundred_updates;
use crate::replays::{check_run, runs};
use crate::steps::adapters_are_pefts;
use pocketllm::cpu;
use pocketllm::dtype::DType;
use pocketllm::gpu::Backend;
use pocketllm::model::Extent;
use pocketllm::text::batch::Batch;
use pocketllm::train::Session;
use pollster::block_on;

#[test]
fn logits_on_the_cpu_are_those_of_transformers() {
    for golden in golden::models() {
        block_on(goldens::check(cpu::open(), golden, DType::F32));
    }
    for name in ["llama-gguf-k", "llama-gguf-mixed"] {
        block_on(goldens::check(cpu::open(), (name, name), DType::Q8_0));
        block_on(goldens::check(cpu::open(), (name, name), DType::Q6_K));
    }
}

#[test]
fn adapters_on_the_cpu_are_pefts() {
    block_on(adapters_are_pefts(cpu::open()));
}

#[test]
fn generation_on_the_cpu_follows_the_logits_of_the_whole_text() {
    for (name, _) in golden::models() {
        block_on(goldens::generate(cpu::open(), name));
    }
}

#[test]
fn runs_on_the_cpu_replay_and_resume_to_the_bits_of_the_reference() {
    let backend: Rc<dyn Backend> = cpu::open();
    for (dtype, settings) in runs() {
        block_on(check_run(&backend, "peft/blocks-llama", dtype, &settings));
    }
}

#[test]
fn two_hundred_updates_on_the_cpu_are_numpys() {
    block_on(two_hundred_updates(cpu::open()));
}

/// The logits of a text that is longer than the chunks of rows that a task processes.
fn logits(threads: usize) -> Vec<f32> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let dir = golden::dir("llama");
        let mut session = block_on(Session::open(cpu::open(), &dir, DType::F32, &mut |_| Ok(()))).unwrap();
        let tokens = session.model.spec().max_length.min(100);
        let ids: Vec<u32> = (0..tokens).map(|i| i * 7 % 50).collect();
        let extent = Extent { branches: 1, tokens, targets: tokens, labels: 0 };
        let (model, workspace) = session.prepare(extent).unwrap();
        block_on(model.logits(workspace, &Batch::sequence(&ids))).unwrap()
    })
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let one = logits(1);
    for threads in [2, 3, 8] {
        assert!(logits(threads) == one, "{threads} threads");
    }
}
