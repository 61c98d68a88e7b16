//! Fine-tunes a model on a CSV file with `text` and `label`, and writes the record of the run:
//! `cargo run --release --example finetune -- MODEL TRAIN.csv OUT.pocket`. Without arguments, it trains a tiny random model.

use pocketllm::dtype::DType;
use pocketllm::error::{Code, Error, Result};
use pocketllm::format::files::FsDir;
use pocketllm::gpu::{Gpu, GpuOptions, LimitsChoice};
use pocketllm::text::dataset;
use pocketllm::train::{ExampleEncoder, Options, Session, Trainer};

async fn finetune(model: &str, train: &str, out: &str) -> Result<()> {
    let read_error =
        |error: std::io::Error| Error::new(Code::InvalidArgument, format!("{train}, {out}: {error}"));
    let gpu = Gpu::open(GpuOptions { limits: LimitsChoice::Adapter }).await?;
    let mut session = Session::open(gpu, &FsDir::new(model)?, DType::F32, &mut |_| Ok(())).await?;

    // Rows become examples: each text is inserted into the template, and the model predicts a label word at the mask.
    let template = "{text} It was [MASK] .";
    let encoder =
        ExampleEncoder::new(&session, Some(template), &["great".to_owned(), "terrible".to_owned()])?;
    let data = dataset::read(train, &std::fs::read(train).map_err(read_error)?)?;
    let options =
        Options { steps: Some(20), batch_size: Some(8), max_length: Some(64), ..Options::default() };
    let settings = options.resolve(session.model.spec(), None)?;
    let examples = encoder.encode(&session, &data, settings.length_for(session.model.spec())?)?;

    let mut trainer = Trainer::new(&session, settings, encoder, Some(template), examples)?;
    while let Some(step) = trainer.step(&mut session).await? {
        println!("step {:>3}: loss {:.4}", step.step + 1, step.loss());
    }
    std::fs::write(out, trainer.trajectory().to_bytes()?).map_err(read_error)
}

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let temporary = std::env::temp_dir().join("example.pocket").display().to_string();
    let [model, train, out] = match given.as_slice() {
        [model, train, out] => [model, train, out].map(String::as_str),
        _ => ["tests/golden/bert", "tests/golden/bert/train.csv", &temporary],
    };
    pollster::block_on(finetune(model, train, out))
}
