//! The GPU memory of a run stays constant: after the first steps, it frees everything that it allocates. `tests/reference/soak.py`
//! monitors a long run of the program, including its main memory and its speed.

use std::rc::Rc;

use pocketllm::dtype::DType;
use pocketllm::gpu::Backend;
use pocketllm::text::dataset;
use pocketllm::train::{ExampleEncoder, Settings, Trainer};

use crate::common::{device_test, golden};
use crate::fixtures::open;

const STEPS: u32 = 200;

device_test! {
    async fn a_run_keeps_its_gpu_memory(backend: Rc<dyn Backend>) {
        let mut session = open(backend.clone(), "bert", DType::F32).await;
        let (template, labels) = (Some("{text} It was [MASK] ."), ["great".to_owned(), "terrible".to_owned()]);
        let encoder = ExampleEncoder::new(&session, template, &labels).unwrap();
        let data = dataset::read("train.csv", golden::file("bert", "train.csv")).unwrap();
        let examples = encoder.encode(&session, &data, 64).unwrap();
        let settings = Settings { steps: STEPS, batch_size: 4, learning_rate: 1e-5, ..Settings::default() };
        let mut trainer = Trainer::new(&session, settings, encoder, template, examples).unwrap();
        trainer.begin(&mut session, &[]).await.unwrap();
        let mut first = None;
        while trainer.step(&mut session).await.unwrap().is_some() {
            if trainer.done() >= STEPS / 4 {
                let now = backend.memory();
                assert_eq!(*first.get_or_insert(now), now, "after {} steps", trainer.done());
            }
        }
    }
}
