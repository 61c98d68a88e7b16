//! One step of each of the papers' models at full size, on random weights: its memory, compared with the plan and a limit. A run
//! takes minutes on a software GPU and up to 3 GB of memory, so it is ignored unless it is requested by name, natively or in a tab
//! (where the name is built in):
//!
//! `POCKETLLM_PAPER=opt-lora cargo test --release --test it paper_size -- --ignored --nocapture`
//! `POCKETLLM_PAPER=opt-lora WASM_BINDGEN_TEST_TIMEOUT=7200 wasm-pack test --release --headless --chrome -- --test it -- paper_size --ignored`

use std::rc::Rc;

use crate::common::{device_test, say};
use pocketllm::gpu::Backend;
use pocketllm::train::{Method, RandomModel, Session, Settings, Sizes, dtype, trial};
use pocketllm::zo::estimator::{Estimator, EstimatorKind};

const ROBERTA: &[u8] = include_bytes!("../configs/roberta-large.json");
const OPT: &[u8] = include_bytes!("../configs/opt-1.3b.json");

/// Maximum bytes that a step may take.
const GB: u64 = 1_000_000_000;

device_test! { own
    #[ignore = "takes minutes and up to 3 GB: POCKETLLM_PAPER names the run"]
    async fn a_step_at_full_size_stays_within_its_bound(backend: Rc<dyn Backend>) {
        let wanted = std::env::var("POCKETLLM_PAPER").ok();
        let wanted = wanted.as_deref().or(option_env!("POCKETLLM_PAPER")).unwrap_or_default();
        let (config, stored, method, kind, batch_size, bound) = match wanted {
            "roberta-full" => (ROBERTA, "f16", Method::Full, EstimatorKind::TwoPoint, 8, GB / 100 * 85),
            "opt-full" => (OPT, "f16", Method::Full, EstimatorKind::TwoPoint, 1, GB / 10 * 29),
            "opt-lora" => (OPT, "q4", Method::lora(), EstimatorKind::TwoPoint, 1, GB),
            "opt-low-rank" => (OPT, "q4", Method::Full, EstimatorKind::LowRank, 1, GB),
            other => panic!("POCKETLLM_PAPER={other}: roberta-full, opt-full, opt-lora or opt-low-rank"),
        };
        let length = 64;
        let estimator = Estimator::new(kind);
        let settings = Settings { batch_size, method, estimator, steps: 1, ..Settings::default() };
        let model = RandomModel::new(wanted, config.to_vec(), 1).unwrap();
        let described = Session::describe(backend.limits(), &model, dtype(stored).unwrap()).await.unwrap();
        let sizes = Sizes::even(described.model.spec().head_kind(), batch_size, length, 0);
        let plan = described.plan(&settings, dtype(stored).unwrap(), &sizes).await.unwrap();
        let mut session = described.load(backend.clone(), &mut |_| Ok(())).await.unwrap();
        let report = trial(&mut session, &settings, length).await.unwrap();
        let peak = backend.memory().peak;
        say(&format!(
            "{wanted} on {}: {peak} bytes at most, planned {}, Adam {}; a step of {:.0} s, losses {} {}",
            backend.name(), plan.peak, plan.adam, report.ms / 1e3, report.loss_plus(), report.loss_minus(),
        ));
        assert!(report.loss().is_finite(), "{report:?}");
        assert!(peak <= bound, "{peak} bytes, at most {bound}");
        assert!(peak.abs_diff(plan.peak) * 100 <= 3 * peak, "{peak} bytes, planned {plan:?}");
    }
}
