//! Measuring a device before a download.

use std::rc::Rc;

use crate::common::device_test;
use pocketllm::dtype::DType;
use pocketllm::gpu::Backend;
use pocketllm::train::{RandomModel, Session, probe_memory, probe_speed};

const CONFIG: &str = r#"{"model_type":"bert","hidden_size":64,"num_attention_heads":2,"intermediate_size":128,"vocab_size":100,
    "max_position_embeddings":64,"num_hidden_layers":1}"#;

device_test! {
    async fn a_small_random_model_is_timed(backend: Rc<dyn Backend>) {
        let model = RandomModel::new("probe", CONFIG.as_bytes().to_vec(), 0).unwrap();
        let mut session = Session::open(backend, &model, DType::F32, &mut |_| Ok(())).await.unwrap();
        let flops = probe_speed(&mut session).await.unwrap();
        assert!(flops.is_finite() && flops > 1e4, "{flops}");
    }
}

device_test! { own
    async fn memory_is_tried_and_freed(backend: Rc<dyn Backend>) {
        let before = backend.memory().total();
        probe_memory(backend.as_ref(), (130 << 20) + 5).await.unwrap();
        assert_eq!(backend.memory().total(), before);
        assert!(backend.memory().peak >= 130 << 20);
    }
}
