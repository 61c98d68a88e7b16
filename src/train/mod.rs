//! Floor 6: from files to a fine-tuned model: the loaded model, the objective, the training loop, evaluation, replay.

mod adapter_files;
mod chat;
mod diagnosis;
mod draw;
mod evaluation;
mod follow;
mod measure;
mod method;
mod objective;
mod plan;
mod presets;
mod questions;
mod random_model;
mod replay;
mod save;
mod search;
mod session;
mod settings;
mod trainer;
mod trial;

pub use adapter_files::{AdapterBytes, AdapterFile, read_adapter};
pub use diagnosis::{Diagnosis, Trouble, Warning};
pub use draw::{Draw, draw};
pub use evaluation::EvaluationReport;
pub use method::{Method, Setup, dtype, dtype_name};
pub use objective::{Examples, Objective};
pub use plan::{Plan, Sizes};
pub use presets::{Preset, preset};
pub use random_model::RandomModel;
pub use replay::{method as method_of, replay};
pub use save::save_model;
pub use search::{Trial, search};
pub use session::Session;
pub use settings::{Settings, length};
pub use trainer::{StepReport, Trainer};
pub use trial::{random_examples, trial};
