//! Layers that are read from a file in each pass: the same bits as with all weights on the device, using less of its memory.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::fixtures::{BLOCKS, examples, trainer};
use crate::common::{async_test, device_test, golden};
use pocketllm::dtype::DType;
use pocketllm::error::{Code, Error, Result};
use pocketllm::format::files::ModelDir;
use pocketllm::format::source::{ByteSource, Scratch};
use pocketllm::future::LocalFuture;
use pocketllm::gpu::Backend;
use pocketllm::model::{Extent, Pooling, Sampling};
use pocketllm::reference::Host;
use pocketllm::text::batch::Batch;
use pocketllm::train::{
    LoraA, Method, RandomModel, Session, Settings, Sizes, Trajectory, dtype, replay, trial,
};
use pocketllm::zo::estimator::{Estimator, EstimatorKind};

/// A scratch file in memory, whose reads fail from a given number on.
struct Memory {
    bytes: RefCell<Vec<u8>>,
    reads: Cell<usize>,
    fails_at: Cell<usize>,
}

impl Memory {
    fn new() -> Rc<Memory> {
        let (bytes, reads, fails_at) = (RefCell::default(), Cell::new(0), Cell::new(usize::MAX));
        Rc::new(Memory { bytes, reads, fails_at })
    }
}

impl ByteSource for Memory {
    fn name(&self) -> &str {
        "scratch"
    }

    fn len(&self) -> u64 {
        self.bytes.borrow().len() as u64
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        self.reads.set(self.reads.get() + 1);
        let bytes = self.bytes.borrow();
        let found = bytes.get(offset as usize..offset as usize + len).map(<[u8]>::to_vec);
        let read = match found {
            Some(bytes) if self.reads.get() < self.fails_at.get() => Ok(bytes),
            _ => {
                let message = format!("scratch: {len} bytes at offset {offset} cannot be read");
                Err(Error::new(Code::FileCorrupt, message))
            }
        };
        Box::pin(std::future::ready(read))
    }
}

impl Scratch for Memory {
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let (first, end) = (offset as usize, offset as usize + bytes.len());
        let mut all = self.bytes.borrow_mut();
        let len = all.len().max(end);
        all.resize(len, 0);
        all[first..end].copy_from_slice(bytes);
        Ok(())
    }
}

async fn resident(backend: &Rc<dyn Backend>, dir: &dyn ModelDir, dtype: DType) -> Session {
    Session::open(backend.clone(), dir, dtype, &mut |_| Ok(())).await.unwrap()
}

async fn streamed(backend: &Rc<dyn Backend>, dir: &dyn ModelDir, dtype: DType, file: Rc<Memory>) -> Session {
    let session = Session::describe(backend.limits(), dir, dtype).await.unwrap();
    session.stream_layers(file).unwrap().load(backend.clone(), &mut |_| Ok(())).await.unwrap()
}

fn random(name: &str) -> RandomModel {
    let (_, config) = BLOCKS.iter().find(|(found, _)| *found == name).unwrap();
    RandomModel::new(name, config.as_bytes().to_vec(), 5).unwrap()
}

fn lora(a: LoraA) -> Method {
    Method::Lora { rank: 4, alpha: 8.0, targets: vec!["all-linear".to_owned()], a }
}

/// The results of a session for a run, for texts, and for hidden states.
#[derive(Debug, PartialEq)]
struct Computed {
    trajectory: Vec<u8>,
    adapter: Vec<u32>,
    losses: Vec<u32>,
    features: Vec<u32>,
    logits: Vec<u32>,
    written: Vec<u32>,
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Runs until step `until`, continuing from a record if one is given.
async fn run(session: &mut Session, settings: &Settings, from: Option<Trajectory>, until: u32) -> Trajectory {
    session.reset(&mut |_| Ok(())).await.unwrap();
    let mut trainer = trainer(session, settings);
    match from {
        Some(trajectory) => trainer.resume(session, trajectory, &mut |_| Ok(())).await.unwrap(),
        None => trainer.begin(session, &[]).await.unwrap(),
    }
    while trainer.done() < until {
        trainer.step(session).await.unwrap();
    }
    trainer.settle(session).await.unwrap();
    Trajectory::parse("t", &trainer.trajectory().to_bytes().unwrap()).unwrap()
}

async fn computed(session: &mut Session, settings: &Settings) -> Computed {
    let trajectory = run(session, settings, None, settings.steps).await.to_bytes().unwrap();
    let adapter = bits(&session.adapter_values().await.unwrap());
    let batch = Batch::pack(&examples().examples.iter().collect::<Vec<_>>());
    let features = bits(&session.features(&batch, Pooling::Mean).await.unwrap());
    let sequence = Batch::sequence(&[3, 9, 17, 4]);
    let extent = Extent { branches: 1, tokens: 4, targets: 4, labels: 0 };
    let (model, ws) = session.prepare(extent).unwrap();
    let logits = bits(&model.logits(ws, &sequence).await.unwrap());
    let mut written = Vec::new();
    if session.model.spec().causal {
        let mut text = session.model.generate(&[3, 9, 17], 5, Sampling::default()).unwrap();
        while let Some(token) = text.next(&session.model, [0; 2]).await.unwrap() {
            written.push(token);
        }
    }
    let mut trainer = trainer(session, settings);
    let report = trainer.evaluate(session, Some(&examples()), &mut || Ok(())).await.unwrap();
    let losses = vec![(report.loss as f32).to_bits()];
    Computed { trajectory, adapter, losses, features, logits, written }
}

fn settings(method: Method, kind: EstimatorKind) -> Settings {
    let estimator = Estimator { probes: 2, ..Estimator::new(kind) };
    Settings {
        steps: 3,
        batch_size: 2,
        learning_rate: 1e-2,
        seed: 9,
        method,
        estimator,
        ..Settings::default()
    }
}

device_test! {
    async fn streamed_layers_give_the_same_bits(device: Rc<dyn Backend>) {
        use EstimatorKind::{OneSided, TwoPoint};
        let runs = [
            (lora(LoraA::Trained), TwoPoint),
            (lora(LoraA::Frozen), OneSided),
            (lora(LoraA::Activations), TwoPoint),
            (Method::Prefix { length: 3 }, TwoPoint),
        ];
        let names = ["random opt", "random qwen2", "random roberta", "random gpt2"];
        // A browser takes seconds to compile kernels, so fewer models are tested there.
        let names = if cfg!(target_arch = "wasm32") { &names[..1] } else { &names[..] };
        #[cfg(not(target_arch = "wasm32"))]
        let backends = [device, pocketllm::cpu::open()];
        #[cfg(target_arch = "wasm32")]
        let backends = [device];
        for backend in backends {
            for name in names {
                let dir = random(name);
                for (stored, (method, kind)) in ["f32", "f16", "q8", "q4"].into_iter().zip(&runs) {
                    let stored = dtype(stored).unwrap();
                    let settings = settings(method.clone(), *kind);
                    let mut here = resident(&backend, &dir, stored).await;
                    let mut there = streamed(&backend, &dir, stored, Memory::new()).await;
                    assert_eq!(here.model.weights().fingerprint(), there.model.weights().fingerprint());
                    let right = computed(&mut here, &settings).await;
                    let found = computed(&mut there, &settings).await;
                    assert_eq!(found, right, "{name} over {stored} on {}", backend.name());

                    // A run begins in one mode and continues in the other, and its record replays in both.
                    let begun = run(&mut here, &settings, None, 2).await;
                    let ended = run(&mut there, &settings, Some(begun), 3).await;
                    let whole = Trajectory::parse("t", &right.trajectory).unwrap();
                    assert_eq!(ended.records, whole.records);
                    for session in [&mut here, &mut there] {
                        session.reset(&mut |_| Ok(())).await.unwrap();
                        replay(session, &ended, &mut |_| Ok(())).await.unwrap();
                        assert_eq!(bits(&session.adapter_values().await.unwrap()), right.adapter);
                    }
                }
            }
        }
    }
}

device_test! {
    async fn the_weights_of_streamed_layers_are_read_back(backend: Rc<dyn Backend>) {
        let dir = golden::dir("opt");
        let values = async |session: &Session| {
            let mut values = Vec::new();
            for id in 0..session.model.spec().tensors.as_slice().len() {
                let mut sink = |part: &[f32]| {
                    values.extend(bits(part));
                    Ok(())
                };
                session.model.weights().read(session.model.backend(), id, &mut sink).await.unwrap();
            }
            values
        };
        for stored in [DType::F32, DType::F16] {
            let here = resident(&backend, &dir, stored).await;
            let there = streamed(&backend, &dir, stored, Memory::new()).await;
            assert!(values(&here).await == values(&there).await, "{stored}");
        }
    }
}

device_test! { own
    async fn streamed_layers_take_the_memory_that_was_planned(backend: Rc<dyn Backend>) {
        let config = br#"{"model_type":"gpt2","n_embd":64,"n_head":4,"n_layer":12,"n_inner":256,"n_positions":40,"vocab_size":101}"#;
        let dir = RandomModel::new("random gpt2", config.to_vec(), 5).unwrap();
        let settings = Settings { steps: 1, ..settings(Method::lora(), EstimatorKind::TwoPoint) };
        let described = Session::describe(backend.limits(), &dir, DType::F16).await.unwrap();
        let sizes = Sizes::even(described.model.spec().head_kind(), settings.batch_size, 16, 0);
        let all = described.plan(&settings, DType::F16, &sizes).await.unwrap();
        let described = described.stream_layers(Memory::new()).unwrap();
        let plan = described.plan(&settings, DType::F16, &sizes).await.unwrap();
        // Of the twelve layers, eleven are not on the device, and two more are waiting.
        let layer = (64 * 192 + 64 * 64 + 2 * 64 * 256) * 2;
        assert_eq!(all.weights - plan.weights, 11 * layer);
        let saved = all.peak - plan.peak;
        assert!((9 * layer..9 * layer + 1024).contains(&saved), "{saved}");
        let mut session = described.load(backend.clone(), &mut |_| Ok(())).await.unwrap();
        trial(&mut session, &settings, 16).await.unwrap();
        let memory = backend.memory();
        assert_eq!((memory.weights, memory.peak), (plan.weights, plan.peak));
    }
}

device_test! {
    async fn a_file_that_cannot_be_read_ends_the_step_and_the_run_goes_on_from_its_record(backend: Rc<dyn Backend>) {
        let (dir, file) = (random("random opt"), Memory::new());
        let settings = settings(lora(LoraA::Trained), EstimatorKind::TwoPoint);
        let mut session = streamed(&backend, &dir, DType::Q4_0, file.clone()).await;
        let right = run(&mut session, &settings, None, 3).await;
        let reads = file.reads.get();
        for fails_at in [reads + 1, reads + 8, reads + 30] {
            session.reset(&mut |_| Ok(())).await.unwrap();
            file.reads.set(reads);
            file.fails_at.set(fails_at);
            let mut trainer = trainer(&session, &settings);
            let mut result = trainer.begin(&mut session, &[]).await;
            while result.is_ok() {
                result = trainer.step(&mut session).await.map(drop);
            }
            let error = result.unwrap_err();
            assert_eq!(error.code(), Code::FileCorrupt);
            assert!(error.message().contains("scratch: "), "{error}");
            // The record has only whole steps, from which another process can continue.
            file.fails_at.set(usize::MAX);
            let kept = Trajectory::parse("t", &trainer.trajectory().to_bytes().unwrap()).unwrap();
            let again = run(&mut session, &settings, Some(kept), 3).await;
            assert_eq!(again.records, right.records, "read {fails_at}");
        }
    }
}

device_test! {
    async fn weights_that_are_trained_are_not_streamed(backend: Rc<dyn Backend>) {
        let mut session = streamed(&backend, &random("random opt"), DType::F16, Memory::new()).await;
        for kind in [EstimatorKind::TwoPoint, EstimatorKind::LowRank] {
            let mut trainer = trainer(&session, &Settings { steps: 1, ..settings(Method::Full, kind) });
            let error = trainer.begin(&mut session, &[]).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.message().contains("streamed layers are only read"), "{error}");
        }
    }
}

async_test! {
    async fn layers_that_share_their_weights_are_not_streamed() {
        let described = Session::describe(Host::open().limits(), &golden::dir("albert"), DType::F16).await.unwrap();
        let error = described.stream_layers(Memory::new()).map(drop).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().contains("share their weights"), "{error}");
    }
}
