//! Pooled hidden states of every family and of a model without a language-model head, compared with transformers
//! (`tests/golden/features.py`), and what such a model rejects.

use std::rc::Rc;

use crate::common::compare::deviations;
use crate::common::{async_test, device_test, golden, say};
use pocketllm::dtype::DType;
use pocketllm::error::Code;
use pocketllm::gpu::Backend;
use pocketllm::model::{Extent, Pooling, Sampling};
use pocketllm::names::Named;
use pocketllm::reference::Host;
use pocketllm::text::batch::Batch;
use pocketllm::text::encode::Example;
use pocketllm::train::{ExampleEncoder, Session};

/// As for logits: relative to the standard deviation of the features.
const TOLERANCE: f32 = 1e-4;

const ENCODER: &str = "features/encoder";

async fn open(backend: Rc<dyn Backend>, name: &str) -> Session {
    Session::open(backend, &golden::dir(name), DType::F32, &mut |_| Ok(())).await.unwrap()
}

/// Compares the features of a model's cases, all in one batch.
async fn check(backend: Rc<dyn Backend>, name: &str) {
    // Models without a language-model head are in the folder of the features.
    let bare = ["encoder", "embedding-gemma"].contains(&name);
    let folder = &if bare { format!("features/{name}") } else { name.to_owned() };
    let mut session = open(backend, folder).await;
    let cases: Vec<Vec<u32>> =
        serde_json::from_value(golden::json(folder, "cases.json")["ids"].clone()).unwrap();
    let examples: Vec<Example> = cases.into_iter().map(|ids| Example { ids, ..Example::default() }).collect();
    let batch = Batch::pack(&examples.iter().collect::<Vec<_>>());
    let (tokens, targets) = (batch.tokens() as u32, batch.sequences() as u32);
    let (model, workspace) = session.prepare(Extent { branches: 1, tokens, targets, labels: 0 }).unwrap();
    let expected = golden::file("features", "expected.safetensors");
    let expected = safetensors::SafeTensors::deserialize(expected).unwrap();
    for pooling in [Pooling::Mean, Pooling::First, Pooling::Last] {
        let features = model.features(workspace, &batch, pooling).await.unwrap();
        let right = expected.tensor(&format!("{name}.{}", pooling.name())).unwrap();
        let right: Vec<f32> = bytemuck::pod_collect_to_vec(right.data());
        let worst = deviations(&features, &right);
        say(&format!("{name}, {}: {worst:.1e} standard deviations", pooling.name()));
        assert!(worst <= TOLERANCE, "{name}, {}: {worst}", pooling.name());
    }
}

/// Every model in the golden file.
fn names() -> Vec<String> {
    let expected = golden::file("features", "expected.safetensors");
    let expected = safetensors::SafeTensors::deserialize(expected).unwrap();
    let mut names: Vec<String> =
        expected.names().iter().filter_map(|name| Some(name.strip_suffix(".mean")?.to_owned())).collect();
    names.sort_unstable();
    assert_eq!(names.len(), 24);
    names
}

device_test! {
    async fn features_are_those_of_transformers(backend: Rc<dyn Backend>) {
        for name in names() {
            check(backend.clone(), &name).await;
            check(Host::open(), &name).await;
        }
    }
}

device_test! {
    async fn a_sequence_without_tokens_has_no_features(backend: Rc<dyn Backend>) {
        let mut session = open(backend, ENCODER).await;
        let (model, workspace) = session.prepare(Extent { targets: 2, tokens: 3, ..Extent::least() }).unwrap();
        let [empty, other] = [vec![], vec![7, 8, 9]].map(|ids| Example { ids, ..Example::default() });
        let error = model.features(workspace, &Batch::pack(&[&other, &empty]), Pooling::Mean).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().contains("sequence 1"), "{error}");
    }
}

device_test! {
    async fn what_needs_a_missing_head_is_refused(backend: Rc<dyn Backend>) {
        let mut session = open(backend, ENCODER).await;
        let extent = Extent { tokens: 3, targets: 3, ..Extent::least() };
        let (model, workspace) = session.prepare(extent).unwrap();
        let logits = model.logits(workspace, &Batch::sequence(&[7, 8, 9])).await.unwrap_err();
        let words = ["a".to_owned(), "b".to_owned()];
        let label_words = ExampleEncoder::new(&session, Some("{text} [MASK]"), &words).unwrap_err();
        let task = pocketllm::text::task::find("sst-2").unwrap();
        let of_task = ExampleEncoder::of_task(&session, task).unwrap_err();
        for error in [logits, label_words, of_task] {
            assert_eq!(error.code(), Code::ModelUnsupported, "{error}");
            assert!(error.message().contains("cls.predictions.transform.dense.weight"), "{error}");
            assert!(error.message().contains("method readout"), "{error}");
        }
        // A masked language model generates no text, with or without a head.
        assert!(session.model.generate(&[7], 1, Sampling::default()).is_err());
    }
}

async_test! {
    async fn a_text_that_is_longer_than_the_model_allows_is_refused_by_the_field() {
        let mut session = open(Host::open(), "llama").await;
        let most = session.model.spec().max_length as usize;
        let text = |tokens: usize| Batch::sequence(&vec![1; tokens]);
        assert!(session.features(&text(most), Pooling::Last).await.is_ok());
        let error = session.features(&text(most + 1), Pooling::Last).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        for part in [&format!("{} tokens, but the model allows {most}", most + 1), "max_position_embeddings"] {
            assert!(error.message().contains(part), "{part:?} is not in: {error}");
        }
    }
}
