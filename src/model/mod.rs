//! Floor 4: one transformer, described by a [`ModelSpec`]; its weights on the device; heads and generation.

mod adapter;
pub mod family;
mod generate;
mod head;
mod linear;
mod packed;
mod spec;
mod transformer;
mod weights;
mod workspace;

pub use adapter::{Adapter, AdapterSpec, AdapterTensor};
pub use generate::{Generation, Sampling};
pub use head::{BranchScores, Evaluation, Score};
pub use packed::Packed;
pub use spec::{
    Activation, HeadKind, HeadSpec, HeadTransform, LayerSpec, Linear, Mlp, ModelSpec, Norm, NormKind,
    Positions, TensorId, TensorKind, TensorList, TensorSpec,
};
pub use transformer::{Input, Transformer};
pub use weights::{LoadProgress, Matrix, Part, Weights, formats, stored_as};
pub use workspace::{Extent, Room, Workspace};
