//! Floor 6: from files to a fine-tuned model: the loaded model, the objective, the training loop, evaluation, replay.

mod adapter_files;
mod chat;
mod draw;
mod evaluation;
mod follow;
mod measure;
mod method;
mod objective;
mod questions;
mod replay;
mod save;
mod session;
mod settings;
mod trainer;

pub use adapter_files::{AdapterBytes, AdapterFile, read_adapter};
pub use draw::{Draw, draw};
pub use evaluation::EvaluationReport;
pub use method::{Method, Setup, dtype, dtype_name};
pub use objective::{Examples, Objective};
pub use replay::{method as method_of, replay};
pub use save::save_model;
pub use session::Session;
pub use settings::{Settings, length};
pub use trainer::{StepReport, Trainer};
