//! Published classifiers, `*ForSequenceClassification`: their logits match those of transformers (`tests/golden/classifiers.py`),
//! and heads that are not classifiers are rejected.

use std::rc::Rc;

use crate::common::compare::deviations;
use crate::common::{device_test, golden};
use pocketllm::dtype::DType;
use pocketllm::error::Code;
use pocketllm::format::files::MemoryDir;
use pocketllm::gpu::Backend;
use pocketllm::model::Pooling;
use pocketllm::text::batch::Batch;
use pocketllm::text::dataset;
use pocketllm::text::encode::Example;
use pocketllm::train::{ExampleEncoder, Session};
use serde_json::json;

const TOLERANCE: f32 = 1e-4;

fn folder(family: &str) -> String {
    format!("classifiers/{family}")
}

/// A golden classifier with a modified configuration.
fn configured(family: &str, change: impl Fn(&str) -> String) -> MemoryDir {
    let config = std::str::from_utf8(golden::file(&folder(family), "config.json")).unwrap();
    MemoryDir::new(family)
        .with("config.json", change(config).into_bytes())
        .with("model.safetensors", golden::file(&folder(family), "model.safetensors"))
        .with("tokenizer.json", golden::file("bert", "tokenizer.json"))
}

fn of_ids(ids: Vec<u32>) -> Example {
    Example { ids, ..Example::default() }
}

async fn open(backend: Rc<dyn Backend>, dir: &MemoryDir) -> Session {
    Session::open(backend, dir, DType::F32, &mut |_| Ok(())).await.unwrap()
}

device_test! {
    async fn logits_of_classifiers_are_those_of_transformers(backend: Rc<dyn Backend>) {
        for family in golden::classifiers() {
            let mut session = open(backend.clone(), &golden::dir(&folder(family))).await;
            let classifier = session.published_classifier().await.unwrap().unwrap();
            assert_eq!(classifier.labels, ["negative", "neutral", "positive"]);
            let cases: Vec<Vec<u32>> =
                serde_json::from_value(golden::json(&folder(family), "cases.json")["ids"].clone()).unwrap();
            let examples: Vec<Example> =
                cases.iter().map(|ids| classifier.without_padding(ids).to_vec()).map(of_ids).collect();
            let batch = Batch::pack(&examples.iter().collect::<Vec<_>>());
            let features = session.features(&batch, classifier.pooling).await.unwrap();
            let rows = features.chunks_exact(classifier.linear.width());
            let logits: Vec<f32> = rows
                .flat_map(|row| classifier.logits(row).unwrap())
                .map(|logit| logit as f32)
                .collect();
            let expected = golden::file(&folder(family), "expected.safetensors");
            let expected = safetensors::SafeTensors::deserialize(expected).unwrap();
            let right: Vec<f32> = bytemuck::pod_collect_to_vec(expected.tensor("logits").unwrap().data());
            let worst = deviations(&logits, &right);
            assert!(worst <= TOLERANCE, "{family}: {worst}");
        }
    }
}

device_test! {
    async fn pairs_have_the_token_types_of_transformers(backend: Rc<dyn Backend>) {
        for family in ["bert", "electra", "megatron-bert"] {
            let mut session = open(backend.clone(), &configured(family, str::to_owned)).await;
            let classifier = session.published_classifier().await.unwrap().unwrap();
            let cases = golden::json(&folder(family), "cases.json");
            let pairs = cases["pairs"].as_array().unwrap();
            let mut table = "text,text_b,label\n".to_owned();
            for pair in pairs {
                table += &format!("{},{},0\n", pair["text"], pair["text_b"]);
            }
            let data = dataset::read("pairs.csv", table.as_bytes()).unwrap();
            let encoder = ExampleEncoder::Readout(classifier);
            let examples = encoder.encode(&session, &data, 64).unwrap().examples;
            for (example, pair) in examples.iter().zip(pairs) {
                assert_eq!((json!(example.ids), json!(example.types)), (pair["ids"].clone(), pair["types"].clone()));
            }
            let expected = golden::file(&folder(family), "expected.safetensors");
            let expected = safetensors::SafeTensors::deserialize(expected).unwrap();
            let right = |name: &str| -> Vec<f32> { bytemuck::pod_collect_to_vec(expected.tensor(name).unwrap().data()) };
            let batch = Batch::pack(&examples.iter().collect::<Vec<_>>());
            let features = session.features(&batch, Pooling::Mean).await.unwrap();
            // The types of one pass do not remain for the next.
            let plain = Batch { types: Vec::new(), ..batch.clone() };
            assert_ne!(session.features(&plain, Pooling::Mean).await.unwrap(), features);
            let logits = session.evaluate_batch(&encoder, &batch).await.unwrap().label_logits;
            for (found, name) in [(features, "pair_features"), (logits, "pair_logits")] {
                let worst = deviations(&found, &right(name));
                assert!(worst <= TOLERANCE, "{family}, {name}: {worst}");
            }
        }
    }
}

device_test! {
    async fn the_class_of_a_tokenizer_decides_about_token_types(backend: Rc<dyn Backend>) {
        let pair = dataset::read("pairs.csv", b"text,text_b,label\nthe film,is dull,0\n").unwrap();
        for (declared, typed) in [
            (r#"{"tokenizer_class":"BertTokenizer"}"#, true),
            (r#"{"tokenizer_class":"ElectraTokenizerFast"}"#, true),
            (r#"{"tokenizer_class":"DistilBertTokenizer"}"#, false),
            (r#"{"tokenizer_class":"PreTrainedTokenizerFast"}"#, false),
            (r#"{"tokenizer_class":"BertTokenizer","model_input_names":["input_ids","attention_mask"]}"#, false),
            (r#"{"tokenizer_class":"PreTrainedTokenizerFast","model_input_names":["input_ids","token_type_ids"]}"#, true),
        ] {
            let dir = configured("bert", str::to_owned).with("tokenizer_config.json", declared.as_bytes().to_vec());
            let session = open(backend.clone(), &dir).await;
            let encoder = ExampleEncoder::Readout(session.published_classifier().await.unwrap().unwrap());
            let examples = encoder.encode(&session, &pair, 32).unwrap().examples;
            assert_eq!(examples[0].types.contains(&1), typed, "{declared}");
        }
    }
}

device_test! {
    async fn a_published_classifier_is_evaluated_by_names_or_numbers(backend: Rc<dyn Backend>) {
        let mut session = open(backend.clone(), &configured("bert", str::to_owned)).await;
        let encoder = ExampleEncoder::Readout(session.published_classifier().await.unwrap().unwrap());
        let mut reports = Vec::new();
        for labels in [["negative", "Positive"], ["0", "2"]] {
            let rows = format!("text,label\nthe film is dull,{}\na happy story,{}\n", labels[0], labels[1]);
            let data = dataset::read("x.csv", rows.as_bytes()).unwrap();
            let examples = encoder.encode(&session, &data, 32).unwrap();
            reports.push(session.evaluate(&encoder, &examples, &mut || Ok(())).await.unwrap());
        }
        assert_eq!(reports[0], reports[1]);
        let error = dataset::read("x.csv", b"text,label\na,3\n")
            .and_then(|data| encoder.encode(&session, &data, 32))
            .unwrap_err();
        assert!(error.message().contains("negative, neutral, positive"), "{error}");
        // Without names, labels have the names that transformers gives them.
        let unnamed = open(backend.clone(), &configured("bert", |config| config.replace("id2label", "other"))).await;
        assert_eq!(unnamed.published_classifier().await.unwrap().unwrap().labels[1], "LABEL_1");
        // transformers loads names that are written as numbers.
        let numbers = |config: &str| ["negative", "neutral", "positive"].iter().zip([7, 8, 9]).fold(
            config.to_owned(), |config, (name, number)| config.replace(&format!(": \"{name}\""), &format!(": {number}")),
        );
        let numbered = open(backend, &configured("bert", numbers)).await;
        assert_eq!(numbered.published_classifier().await.unwrap().unwrap().labels, ["7", "8", "9"]);
    }
}

device_test! {
    async fn heads_that_are_no_classifier_are_refused(backend: Rc<dyn Backend>) {
        let of_class = |family: &str, head: &str| configured(family, |config| config.replace("ForSequenceClassification", head));
        for (config, code, says) in [
            (of_class("llama", "ForTokenClassification"), Code::ModelUnsupported, "LlamaForTokenClassification"),
            (of_class("bert", "ForQuestionAnswering"), Code::ModelUnsupported, "BertForQuestionAnswering"),
            (
                configured("llama", |config| config.replace("\"pad_token_id\": 0", "\"pad_token_id\": \"<pad>\"")),
                Code::ModelUnsupported,
                "pad_token_id is \"<pad>\"",
            ),
            (
                configured("bert", |config| config.replacen('{', "{\"problem_type\": \"regression\",", 1)),
                Code::ModelUnsupported,
                "regression",
            ),
            (
                configured("bert", |config| config.replace("\"2\": \"positive\"", "\"3\": \"positive\"")),
                Code::FileCorrupt,
                "labels 0 to 2",
            ),
            (
                configured("bert", |config| config.replace("\"2\": \"positive\"", "\"2\": \"negative\"")),
                Code::FileCorrupt,
                "\"negative\" appears twice",
            ),
        ] {
            let error = open(backend.clone(), &config).await.published_classifier().await.unwrap_err();
            assert_eq!(error.code(), code);
            assert!(error.message().contains(says), "{error}");
        }
        let other = open(backend, &golden::dir("bert")).await;
        assert!(other.published_classifier().await.unwrap().is_none(), "a masked-LM checkpoint has no classifier");
    }
}
