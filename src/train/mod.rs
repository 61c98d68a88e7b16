//! Floor 6: from files to a fine-tuned model: the loaded model, the objective, the training loop, evaluation, replay.

mod chat;
mod draw;
mod evaluation;
mod objective;
mod questions;
mod replay;
mod save;
mod session;
mod settings;
mod trainer;

pub use draw::{Draw, draw};
pub use evaluation::EvaluationReport;
pub use objective::{Examples, Objective};
pub use replay::replay;
pub use save::save_model;
pub use session::Session;
pub use settings::{Settings, length};
pub use trainer::{StepReport, Trainer};
