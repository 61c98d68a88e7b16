//! `pocketllm logits`.

use std::path::PathBuf;

use safetensors::tensor::{Dtype, TensorView};

use super::context::Context;
use super::dtype::DtypeArgs;
use super::model::{self, ModelPath};
use super::print::say;
use super::{files, out_dir};
use crate::error::{Result, bail, err};
use crate::model::{Extent, OVERGROWN};
use crate::text::batch::Batch;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelPath,
    /// A text; may be given several times
    #[arg(long)]
    text: Vec<String>,
    /// Token ids separated by commas; may be given several times
    #[arg(long)]
    ids: Vec<String>,
    /// Load this peft adapter in addition to the weights
    #[arg(long)]
    adapter: Option<PathBuf>,
    #[command(flatten)]
    dtype: DtypeArgs,
    /// The safetensors file to write: `logits_0`.. f32 `[tokens, vocabulary]`, or `[labels]` of a classifier, and `input_ids_0`.. i64 `[tokens]`
    #[arg(long)]
    out: PathBuf,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    let listed = args.ids.iter().map(|list| parse_ids(list)).collect::<Result<Vec<_>>>()?;
    if args.text.is_empty() && listed.is_empty() {
        bail!(InvalidArgument, "give --text or --ids");
    }
    let mut inputs_read = vec![args.model.input()];
    inputs_read.extend(args.adapter.as_deref().map(|path| ("--adapter", path)));
    out_dir::refuse_input_file(&args.out, &inputs_read)?;
    // An unwritable file is detected before the model is loaded.
    let mut out = files::Replacement::create(&args.out)?;
    let mut session = args.model.load(context, args.dtype.dtype()?).await?;
    model::use_adapter(&mut session, args.adapter.as_deref()).await?;
    let mut inputs = Vec::new();
    for text in &args.text {
        let ids = session.tokenizer()?.encode(text, true)?;
        session.check_tokens(ids.iter().copied()).map_err(|e| e.at(format!("--text {text:?}")))?;
        inputs.push(ids);
    }
    inputs.extend(listed);
    // A checkpoint without a language-model head may have a classifier, and so may an adapter.
    let classifier = match session.model.spec().head() {
        Ok(_) if !session.has_classifier_of_adapter() => None,
        _ => session.published_classifier().await?,
    };
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (index, ids) in inputs.iter().enumerate() {
        if ids.is_empty() {
            bail!(InvalidArgument, "input {index} has no tokens");
        }
        if let Some(classifier) = &classifier {
            let batch = Batch::sequence(classifier.without_padding(ids));
            let features = session.features(&batch, classifier.pooling).await?;
            let logits: Vec<f32> =
                classifier.logits(&features)?.into_iter().map(|logit| logit as f32).collect();
            check(index, &logits)?;
            tensors.push((
                format!("logits_{index}"),
                Dtype::F32,
                vec![logits.len()],
                bytemuck::cast_slice(&logits).to_vec(),
            ));
            tensors.push(ids_tensor(index, ids));
            continue;
        }
        let tokens = ids.len() as u32;
        let extent = Extent { branches: 1, tokens, targets: tokens, labels: 0 };
        let (model, workspace) = session.prepare(extent)?;
        let logits = model.logits(workspace, &Batch::sequence(ids)).await?;
        check(index, &logits)?;
        let shape = vec![ids.len(), model.spec().vocabulary as usize];
        tensors.push((format!("logits_{index}"), Dtype::F32, shape, bytemuck::cast_slice(&logits).to_vec()));
        tensors.push(ids_tensor(index, ids));
    }
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, data)| Ok((name, TensorView::new(*dtype, shape.clone(), data)?)))
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| err!(InvalidArgument, "logits: {e}"))?;
    let bytes = safetensors::serialize(views, None).map_err(|e| err!(InvalidArgument, "logits: {e}"))?;
    out.write(&bytes)?;
    out.commit()?;
    if context.json {
        let adapter = session.model.backend().name();
        say!("{}", serde_json::json!({ "out": args.out, "inputs": inputs.len(), "adapter": adapter }))?;
    }
    Ok(())
}

/// The tensor with an input's token ids.
fn ids_tensor(index: usize, ids: &[u32]) -> (String, Dtype, Vec<usize>, Vec<u8>) {
    let wide: Vec<u8> = ids.iter().flat_map(|id| i64::from(*id).to_le_bytes()).collect();
    (format!("input_ids_{index}"), Dtype::I64, vec![ids.len()], wide)
}

fn check(index: usize, logits: &[f32]) -> Result<()> {
    match logits.iter().find(|logit| !logit.is_finite()) {
        Some(logit) => bail!(NonFiniteLoss, "input {index}: a logit is {logit}: {OVERGROWN}"),
        None => Ok(()),
    }
}

fn parse_ids(list: &str) -> Result<Vec<u32>> {
    list.split(',')
        .map(|id| {
            id.trim().parse().map_err(|_| err!(InvalidArgument, "--ids {list}: {id:?} is not a token id"))
        })
        .collect()
}
