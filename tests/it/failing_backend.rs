//! A backend over the CPU reference kernels, whose calls fail one at a time. Whatever the engine is doing at that point, it returns
//! the backend's error and frees all memory, and another attempt on the same device gives the usual result.
//!
//! The test lets every 23rd call fail. `POCKETLLM_FAULTS=1000 cargo test --test it failing_backend` lets every call fail.
#![cfg(not(target_arch = "wasm32"))]

use std::cell::Cell;
use std::rc::Rc;

use pocketllm::dtype::DType;
use pocketllm::error::{Code, Error, Result};
use pocketllm::future::LocalFuture;
use pocketllm::gpu::{Backend, Buffer, Limits, MemoryClass, MemoryUse, Recording};
use pocketllm::model::Pooling;
use pocketllm::reference::Host;
use pocketllm::text::dataset;
use pocketllm::train::{
    ExampleEncoder, LoraA, Method, ReadoutTrainer, Session, Settings, Trainer, WriteOptions, replay,
    save_model,
};

use crate::common::golden;

const CODES: [Code; 3] = [Code::DeviceLost, Code::OutOfMemory, Code::LimitExceeded];

/// Runs everything on the host, except for one call.
struct Failing {
    host: Rc<Host>,
    calls: Cell<u64>,
    fails: Cell<Option<(u64, Code)>>,
}

impl Failing {
    fn call(&self) -> Result<()> {
        self.calls.set(self.calls.get() + 1);
        match self.fails.get() {
            Some((call, code)) if call == self.calls.get() => Err(Error::new(code, "a call that fails")),
            _ => Ok(()),
        }
    }
}

impl Backend for Failing {
    fn name(&self) -> String {
        self.host.name()
    }

    fn limits(&self) -> Limits {
        self.host.limits()
    }

    fn memory(&self) -> MemoryUse {
        self.host.memory()
    }

    fn create(&self, name: &str, bytes: u64, class: MemoryClass) -> Result<Buffer> {
        self.call()?;
        self.host.create(name, bytes, class)
    }

    fn write(&self, buffer: &Buffer, offset: u64, data: &[u8]) -> Result<()> {
        self.call()?;
        self.host.write(buffer, offset, data)
    }

    fn run<'a>(&'a self, recording: &'a Recording) -> LocalFuture<'a, Result<()>> {
        match self.call() {
            Ok(()) => self.host.run(recording),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn read<'a>(&'a self, buffer: &'a Buffer, offset: u64, bytes: u64) -> LocalFuture<'a, Result<Vec<u8>>> {
        match self.call() {
            Ok(()) => self.host.read(buffer, offset, bytes),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

async fn open(backend: &Rc<Failing>, model: &str) -> Result<Session> {
    Session::open(backend.clone(), &golden::dir(model), DType::F32, &mut |_| Ok(())).await
}

/// Runs two steps and an evaluation, and saves the trained model. Then the record is replayed on the base model.
async fn train(backend: &Rc<Failing>, method: Method) -> Result<Vec<u8>> {
    let template = "{text} It was [MASK] .";
    let mut session = open(backend, "bert").await?;
    let labels = ["great".to_owned(), "terrible".to_owned()];
    let encoder = ExampleEncoder::new(&session, Some(template), &labels)?;
    let data = dataset::read("train.csv", golden::file("bert", "train.csv"))?;
    let examples = encoder.encode(&session, &data, 64)?;
    let settings = Settings { steps: 2, batch_size: 2, learning_rate: 1e-3, method, ..Settings::default() };
    let mut trainer = Trainer::new(&session, settings, encoder, Some(template), examples)?;
    trainer.begin(&mut session, &[]).await?;
    while trainer.step(&mut session).await?.is_some() {}
    trainer.settle(&mut session).await?;
    let mut result = trainer.trajectory().to_bytes()?;
    let trajectory = trainer.trajectory().clone();
    let mut again = open(backend, "bert").await?;
    replay(&mut again, &trajectory, &mut |_| Ok(())).await?;
    for session in [&session, &again] {
        save_model(session, &mut |bytes| {
            result.extend(bytes);
            Ok(())
        })
        .await?;
    }
    Ok(result)
}

async fn readout(backend: &Rc<Failing>) -> Result<Vec<u8>> {
    let mut session = open(backend, "bert").await?;
    let mut data = dataset::read("train.csv", golden::file("bert", "train.csv"))?;
    if let pocketllm::text::rows::Rows::Classified(rows) = &mut data.rows {
        rows.truncate(12);
    }
    let settings = Settings { method: Method::Readout { pooling: Pooling::Mean }, ..Settings::default() };
    let mut trainer = ReadoutTrainer::new(&session, settings, &data, Some(&data))?;
    while trainer.next(&mut session, &mut |_| Ok(())).await?.is_some() {}
    trainer.header().to_bytes()
}

async fn generate(backend: &Rc<Failing>) -> Result<Vec<u8>> {
    let session = open(backend, "llama-gguf").await?;
    let prompt = session.prompt("It was a")?;
    let options = WriteOptions { max_tokens: 4, temperature: 0.0, seed: 0, ignore_eos: true };
    let mut go_on = |_: &str| Ok(std::ops::ControlFlow::Continue(()));
    Ok(session.write(&prompt, options, &mut go_on).await?.text.into_bytes())
}

async fn work(backend: &Rc<Failing>, kind: &str) -> Result<Vec<u8>> {
    match kind {
        "full" => train(backend, Method::Full).await,
        "lora" => {
            let targets = vec!["q".to_owned(), "v".to_owned()];
            train(backend, Method::Lora { rank: 2, alpha: 4.0, targets, a: LoraA::default() }).await
        }
        "prefix" => train(backend, Method::Prefix { length: 3 }).await,
        "readout" => readout(backend).await,
        _ => generate(backend).await,
    }
}

#[test]
fn a_failing_backend_is_an_error_and_leaves_no_memory_in_use() {
    let every = if std::env::var("POCKETLLM_FAULTS").is_ok() { 1 } else { 23 };
    for kind in ["full", "lora", "prefix", "readout", "generate"] {
        let backend = Rc::new(Failing { host: Host::open(), calls: Cell::new(0), fails: Cell::new(None) });
        let whole = pollster::block_on(work(&backend, kind)).unwrap();
        let calls = backend.calls.replace(0);
        for call in (1..=calls).step_by(every) {
            let code = CODES[call as usize % CODES.len()];
            backend.fails.set(Some((call, code)));
            let error = pollster::block_on(work(&backend, kind)).unwrap_err();
            let found = (error.code(), error.message().contains("a call that fails"));
            assert_eq!(found, (code, true), "{kind}: call {call} of {calls}: {error}");
            assert_eq!(backend.calls.replace(0), call, "{kind}: calls after the one that failed");
            assert_eq!(backend.memory().total(), 0, "{kind}: call {call} of {calls}");
        }
        backend.fails.set(None);
        assert!(
            pollster::block_on(work(&backend, kind)).unwrap() == whole,
            "{kind}: after {calls} failed attempts"
        );
        println!("{kind}: each of {calls} calls, in steps of {every}");
    }
}
