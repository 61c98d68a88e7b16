//! Exported readouts compute the readout's logits: the exported body is loaded again, and the head is computed here from the
//! exported tensors, as in transformers and sentence-transformers. (`tests/reference/readout_load.py` compares with these programs
//! themselves.)

use std::rc::Rc;

use crate::common::compare::deviations;
use crate::common::{device_test, golden, noise};
use pocketllm::dtype::DType;
use pocketllm::fit::Linear;
use pocketllm::format::files::MemoryDir;
use pocketllm::gpu::Backend;
use pocketllm::model::Pooling;
use pocketllm::text::batch::Batch;
use pocketllm::text::encode::Example;
use pocketllm::train::{Classifier, Session};
use safetensors::SafeTensors;
use serde_json::{Value, json};

const TOLERANCE: f32 = 1e-4;

/// A classifier with three labels and random values. As after a fit, the rows sum to 0, and so do the biases.
fn classifier(session: &Session, pooling: Pooling, biased: bool) -> Classifier {
    let width = session.model.spec().hidden as usize;
    let mut values = noise(7, 3 * width as u32 + 3);
    let (weight, bias) = values.split_at_mut(3 * width);
    for of_last in 0..width {
        weight[2 * width + of_last] = -weight[of_last] - weight[width + of_last];
    }
    bias[2] = -bias[0] - bias[1];
    if !biased {
        bias.fill(0.0);
    }
    let labels = ["bad", "good", "so so"].map(str::to_owned).to_vec();
    Classifier::plain(labels, pooling, Linear::from_values(&values, 3, width).unwrap())
}

fn tensor(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    bytemuck::pod_collect_to_vec(file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}")).data())
}

/// `x` `[rows, width]` times the transpose of `weight` `[labels, width]`, plus a bias.
fn linear(x: &[f32], weight: &[f32], bias: &[f32], width: usize) -> Vec<f32> {
    let of = |row: &[f32]| -> Vec<f32> {
        let products = weight.chunks_exact(width).enumerate().map(|(label, weight)| {
            let product: f64 = row.iter().zip(weight).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
            (product + f64::from(bias.get(label).copied().unwrap_or_default())) as f32
        });
        products.collect()
    };
    x.chunks_exact(width).flat_map(of).collect()
}

async fn check(backend: Rc<dyn Backend>, name: &str, pooling: Pooling, class: Option<&str>) {
    let mut session =
        Session::open(backend.clone(), &golden::dir(name), DType::F32, &mut |_| Ok(())).await.unwrap();
    let cases: Vec<Vec<u32>> =
        serde_json::from_value(golden::json(name, "cases.json")["ids"].clone()).unwrap();
    let examples: Vec<Example> = cases.into_iter().map(|ids| Example { ids, ..Example::default() }).collect();
    let batch = Batch::pack(&examples.iter().collect::<Vec<_>>());
    let biased = !matches!(name, "llama" | "qwen3" | "gemma3");
    let classifier = classifier(&session, pooling, biased);
    let width = classifier.linear.width();
    let features = session.features(&batch, pooling).await.unwrap();
    let right = linear(&features, classifier.linear.weight(), classifier.linear.bias(), width);

    let readout = classifier.files(&session, 64).await.unwrap();
    assert_eq!(readout.class, class, "{name}");
    let mut weights = Vec::new();
    let mut keep = |bytes: &[u8]| {
        weights.extend_from_slice(bytes);
        Ok(())
    };
    readout.save(&session, &mut keep).await.unwrap();
    let small = |path: &str| readout.files.iter().find(|(name, _)| *name == path).unwrap().1.clone();
    let config: Value = serde_json::from_slice(&small("config.json")).unwrap();
    assert_eq!(config["id2label"], json!({ "0": "bad", "1": "good", "2": "so so" }));
    assert_eq!(config["label2id"]["so so"], 2);
    if let Some(class) = class {
        assert_eq!(config["architectures"], json!([class]));
    }
    let dir = MemoryDir::new("exported")
        .with("config.json", small("config.json"))
        .with("model.safetensors", weights.clone());
    let mut exported = Session::open(backend, &dir, DType::F32, &mut |_| Ok(())).await.unwrap();
    let body = exported.features(&batch, pooling).await.unwrap();
    let file = SafeTensors::deserialize(&weights).unwrap();
    let dense = |prefix: &str| {
        let [weight, bias] = ["weight", "bias"].map(|part| tensor(&file, &format!("{prefix}.{part}")));
        linear(&body, &weight, &bias, width).into_iter().map(f32::tanh).collect::<Vec<f32>>()
    };
    let logits = match (class, name) {
        (None, _) => {
            let bytes = small("2_Dense/model.safetensors");
            let head = SafeTensors::deserialize(&bytes).unwrap();
            linear(&body, &tensor(&head, "linear.weight"), &tensor(&head, "linear.bias"), width)
        }
        (Some(_), "bert") => {
            let pooled = dense("bert.pooler.dense");
            linear(&pooled, &tensor(&file, "classifier.weight"), &tensor(&file, "classifier.bias"), width)
        }
        (Some(_), "roberta") => {
            let [weight, bias] =
                ["weight", "bias"].map(|part| tensor(&file, &format!("classifier.out_proj.{part}")));
            linear(&dense("classifier.dense"), &weight, &bias, width)
        }
        _ => linear(&body, &tensor(&file, "score.weight"), &[], width),
    };
    let worst = deviations(&logits, &right);
    assert!(worst <= TOLERANCE, "{name}, {pooling:?}: {worst}");

    // A transformers class is read back as a published classifier.
    let published = exported.published_classifier().await.unwrap();
    assert_eq!(published.is_some(), class.is_some(), "{name}");
    if let Some(published) = published {
        assert_eq!((&published.labels, published.pooling), (&classifier.labels, pooling));
        let logits: Vec<f32> = body
            .chunks_exact(width)
            .flat_map(|row| published.logits(row).unwrap())
            .map(|logit| logit as f32)
            .collect();
        let worst = deviations(&logits, &right);
        assert!(worst <= TOLERANCE, "{name}, read back: {worst}");
    }
}

device_test! {
    async fn exported_readouts_compute_the_same_logits(backend: Rc<dyn Backend>) {
        for (name, pooling, class) in [
            ("gpt2", Pooling::Last, Some("GPT2ForSequenceClassification")),
            ("opt", Pooling::Last, Some("OPTForSequenceClassification")),
            ("phi", Pooling::Last, Some("PhiForSequenceClassification")),
            ("llama", Pooling::Last, Some("LlamaForSequenceClassification")),
            ("qwen3", Pooling::Last, Some("Qwen3ForSequenceClassification")),
            ("gemma3", Pooling::Last, Some("Gemma3TextForSequenceClassification")),
            ("bert", Pooling::First, Some("BertForSequenceClassification")),
            ("roberta", Pooling::First, Some("RobertaForSequenceClassification")),
            // No transformers class scores these.
            ("bert", Pooling::Mean, None),
            ("gpt2", Pooling::Mean, None),
            ("opt-projected", Pooling::Last, None),
        ] {
            check(backend.clone(), name, pooling, class).await;
        }
    }
}

device_test! {
    async fn no_class_is_written_that_would_take_the_last_token_for_padding(backend: Rc<dyn Backend>) {
        let config = std::str::from_utf8(golden::file("llama", "config.json")).unwrap();
        let open = |padding: u32| {
            let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(config).unwrap();
            fields.insert("pad_token_id".to_owned(), padding.into());
            MemoryDir::new("llama")
                .with("config.json", serde_json::to_vec(&fields).unwrap())
                .with("model.safetensors", golden::file("llama", "model.safetensors"))
                .with("tokenizer.json", golden::file("bert", "tokenizer.json"))
        };
        let session = Session::open(backend.clone(), &open(0), DType::F32, &mut |_| Ok(())).await.unwrap();
        let appended = *session.tokenizer().unwrap().encode("a", true).unwrap().last().unwrap();
        for (padding, class) in [(0, Some("LlamaForSequenceClassification")), (appended, None)] {
            let session = Session::open(backend.clone(), &open(padding), DType::F32, &mut |_| Ok(())).await.unwrap();
            let readout = classifier(&session, Pooling::Last, false).files(&session, 64).await.unwrap();
            assert_eq!(readout.class, class, "padding {padding}");
        }
    }
}
