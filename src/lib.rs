//! PocketLLM fine-tunes a pretrained language model where it runs: in a browser tab over WebGPU, or natively with the same shaders.
//!
//! Training is MeZO (Malladi et al. 2023, arXiv 2305.17333), as PocketLLM (arXiv 2407.01031) did on a phone: two forward passes at
//! theta +/- epsilon z, with the direction z drawn from a seed on the GPU, no backward pass, and no optimizer state on the device.
//!
//! # Code map
//! Each floor imports only from the floors below it (`tests/it/floors.rs` checks this):
//!
//! |floor | modules | contents |
//! |---|---|---|
//! | 0 | [`error`], [`names`], [`dtype`], [`rng`], [`future`], [`clock`] | the error type with its stable codes, the names of choices, the storage formats of weights, the random numbers of a run |
//! | 1 | [`fit`], [`mod@format`], [`text`] | classifiers fitted on the host; model files and where their bytes come from; tokenizers, data sets, tasks, prompt and chat templates, packed batches, metrics |
//! | 2 | [`gpu`] | device and limits, counted buffers, shader composition, recordings and what runs them |
//! | 3 | [`kernel`] | a typed wrapper for each file of `shaders/` |
//! | 4 | [`gemm`], [`mod@reference`], `cpu` | the tiles, layouts and plan of matmuls, and their tuner; the CPU reference of each kernel; the CPU backend |
//! | 5 | [`model`] | the spec, the families, weights on the device, one transformer, heads, generation |
//! | 6 | [`zo`] | directions, estimators, updates, schedules, the record of a probe |
//! | 7 | [`train`] | sessions, the options and settings of a run, the trajectory file, the training loop, evaluation, replay, saving |
//! | 8 | `cli` (native), `web` (wasm32) | what people and JavaScript call |
//!
//! # Invariants
//! - Recording touches no device: only `gpu/executor.rs` runs dispatches, and only `reference/host.rs` runs CPU reference kernels.
//! - The transformer knows no family and no file format; a family knows no kernel.
//! - Weights change only by additions of values that the host has scaled, so a trajectory replays to the same bits everywhere.
//!   Perturbed weights are never stored.
//! - No number from outside sizes an allocation unchecked, and nothing panics on bad input.
//! - No file of weights is held in memory as a whole: weights stream to the device a few MiB at a time.

pub mod clock;
#[cfg(any(not(target_arch = "wasm32"), feature = "cpu"))]
pub mod cpu;
pub mod dtype;
pub mod error;
pub mod fit;
pub mod format;
pub mod future;
pub mod gemm;
pub mod gpu;
pub mod kernel;
pub mod model;
pub mod names;
pub mod reference;
pub mod rng;
pub mod text;
pub mod train;
pub mod zo;

#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
#[cfg(target_arch = "wasm32")]
pub mod web;
