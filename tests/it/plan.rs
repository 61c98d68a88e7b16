//! The plan of a run matches what the run takes: the plan is compared with the bytes that the device counts.

use std::rc::Rc;

use crate::common::{device_test, golden};
use pocketllm::error::Code;
#[cfg(not(target_arch = "wasm32"))]
use pocketllm::gpu::Limits;
use pocketllm::gpu::{Backend, MemoryUse};
use pocketllm::train::{LoraA, Method, Plan, Session, Settings, Sizes, dtype, trial};
#[cfg(not(target_arch = "wasm32"))]
use pocketllm::train::{Options, RandomModel};
use pocketllm::zo::estimator::{Estimator, EstimatorKind};

fn settings(method: Method, kind: EstimatorKind) -> Settings {
    Settings { batch_size: 3, steps: 1, method, estimator: Estimator::new(kind), ..Settings::default() }
}

device_test! {
    async fn plans_are_what_the_device_counts(_backend: Rc<dyn Backend>) {
        use EstimatorKind::{LowRank, OneSided, TwoPoint};
        let activations = Method::Lora {
            rank: 8, alpha: 16.0, targets: vec!["all-linear".to_owned()], a: LoraA::Activations,
        };
        let runs = [
            ("f32", settings(Method::Full, TwoPoint)),
            ("f16", settings(Method::Full, TwoPoint)),
            ("f32", settings(Method::Full, OneSided)),
            ("f16", settings(Method::Full, LowRank)),
            ("q4", settings(Method::Full, LowRank)),
            ("q8", settings(Method::lora(), TwoPoint)),
            ("q4", settings(Method::prefix(), TwoPoint)),
            ("f32", Settings { micro_batch: 2, ..settings(Method::lora(), OneSided) }),
            ("f16", Settings { micro_batch: 2, ..settings(activations, TwoPoint) }),
        ];
        let models = [golden::dir("peft/blocks-llama"), golden::dir("roberta"), golden::dir("opt")];
        // A browser takes seconds to open a device, and counts the same bytes, so only one family is tested there.
        let count = if cfg!(target_arch = "wasm32") { 1 } else { models.len() };
        for dir in models.into_iter().take(count) {
            for (stored, settings) in &runs {
                let stored = dtype(stored).unwrap();
                // A separate device, because uniform buffers that a device keeps are counted from its first run on.
                let Some(backend) = crate::common::own_device("plan").await else { return };
                let described = Session::describe(backend.limits(), &dir, stored).await.unwrap();
                let length = 24;
                let sizes = Sizes::even(described.model.spec().head_kind(), settings.batch_size, length, 0);
                let plan = described.plan(settings, stored, &sizes).await.unwrap();
                let mut session = described.load(backend.clone(), &mut |_| Ok(())).await.unwrap();
                trial(&mut session, settings, length).await.unwrap();
                let MemoryUse { weights, adapter, scratch, activations, transfer, peak } = backend.memory();
                let counted = Plan { weights, adapter, scratch, activations, transfer, peak, adam: plan.adam };
                assert_eq!(plan, counted, "{settings:?} over {stored}");
            }
        }
    }
}

#[test]
#[cfg(not(target_arch = "wasm32"))]
fn a_run_that_does_not_fit_is_refused_with_the_first_change_that_does() {
    pollster::block_on(async {
        let config = include_bytes!("../configs/opt-1.3b.json").to_vec();
        let model = RandomModel::new("opt-1.3b.json", config, 0).unwrap();
        let flag = |what: &str, value: &str| format!("--{what} {value}");
        let session = Session::describe(Limits::WEBGPU_DEFAULT, &model, dtype("f32").unwrap()).await.unwrap();
        let settings = Settings { batch_size: 16, steps: 1, ..Settings::default() };
        let sizes = Sizes::even(session.model.spec().head_kind(), 16, 256, 0);
        for (capacity, advice) in [
            (20_u64 << 30, None),
            (5_500 << 20, Some("--micro-batch 8 would take")),
            (3_000 << 20, Some("--dtype f16 would take")),
            (1_500 << 20, Some("--method lora --dtype q8 would take")),
            (900 << 20, Some("--method lora --dtype q4 would take")),
            (250_000_000, Some("--stream-layers true --micro-batch 1 --method lora --dtype q4 would take")),
            (100 << 20, Some("use a smaller model")),
        ] {
            let checked = session.check_plan(&settings, &sizes, Some(capacity), &flag).await;
            match (checked, advice) {
                (Ok(plan), None) => assert!(plan.peak < capacity && plan.adam > 3 * plan.peak, "{plan:?}"),
                (Err(error), Some(advice)) => {
                    assert_eq!(error.code(), Code::OutOfMemory);
                    assert!(error.message().contains(advice), "{capacity}: {error}");
                }
                (checked, _) => panic!("{capacity}: {checked:?}"),
            }
        }
    });
}

#[test]
#[cfg(not(target_arch = "wasm32"))]
fn an_evaluation_and_written_answers_are_planned_as_well() {
    pollster::block_on(async {
        let model = RandomModel::new("opt-1.3b.json", include_bytes!("../configs/opt-1.3b.json").to_vec(), 0)
            .unwrap();
        let stored = dtype("f16").unwrap();
        let session = Session::describe(Limits::WEBGPU_DEFAULT, &model, stored).await.unwrap();
        let settings = Settings { batch_size: 2, steps: 1, ..Settings::default() };
        let step = Sizes { examples: vec![[64, 1]; 2], ..Sizes::default() };
        let plan = async |sizes: &Sizes| session.plan(&settings, stored, sizes).await.unwrap().peak;
        let alone = plan(&step).await;
        // Four times the rows of a step's two branches: 1,024 in one branch.
        let held_out = plan(&Sizes { held_out: vec![[64, 1]; 100], ..step.clone() }).await;
        // 24 layers of keys and values for 250 tokens, plus the memory of a pass over 200 tokens.
        let written = plan(&Sizes { written: [50, 200], ..step.clone() }).await;
        assert!((40_000_000..80_000_000).contains(&(held_out - alone)), "{held_out} {alone}");
        assert!((60_000_000..150_000_000).contains(&(written - alone)), "{written} {alone}");
    });
}

/// Options as in JavaScript, and the peak of their plan for OPT-1.3B, which is the same natively and from a page.
const ASKED: &str = r#"{ "dtype": "q4", "method": "lora", "batchSize": 1, "maxLength": 64 }"#;
const PEAK: u64 = 809_585_600;

#[test]
#[cfg(not(target_arch = "wasm32"))]
fn a_plan_follows_from_the_options() {
    pollster::block_on(async {
        let config = include_bytes!("../configs/opt-1.3b.json").to_vec();
        let model = RandomModel::new("opt-1.3b.json", config, 0).unwrap();
        let given: Options = serde_json::from_str(ASKED).unwrap();
        let stored = dtype("q4").unwrap();
        let session = Session::describe(Limits::WEBGPU_DEFAULT, &model, stored).await.unwrap();
        let settings = Settings { steps: 1, ..given.resolve(session.model.spec(), None).unwrap() };
        let sizes = Sizes::even(session.model.spec().head_kind(), 1, 64, 0);
        assert_eq!(session.plan(&settings, stored, &sizes).await.unwrap().peak, PEAK);
    });
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test::wasm_bindgen_test]
async fn javascript_asks_for_a_plan() {
    let options = js_sys::JSON::parse(ASKED).unwrap();
    let set = |name: &str, value: wasm_bindgen::JsValue| {
        js_sys::Reflect::set(&options, &name.into(), &value).unwrap();
    };
    let get = |value: &wasm_bindgen::JsValue, name: &str| js_sys::Reflect::get(value, &name.into()).unwrap();
    set("config", include_str!("../configs/opt-1.3b.json").into());
    let plan = pocketllm::web::plan(options.clone()).await.unwrap();
    assert_eq!(get(&plan, "peak").as_f64(), Some(PEAK as f64));
    set("maxGpuBytes", 800_000_000.into());
    let error = pocketllm::web::plan(options.clone()).await.unwrap_err();
    assert_eq!(get(&error, "code").as_string().as_deref(), Some(Code::OutOfMemory.as_str()));
}
