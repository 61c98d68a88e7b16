//! Floor 4: one transformer, described by a [`ModelSpec`]; its weights on the device; heads and generation.

pub mod family;
mod generate;
mod head;
mod linear;
mod spec;
mod transformer;
mod weights;
mod workspace;

pub use generate::{Generation, Sampling};
pub use head::{Evaluation, Score};
pub use spec::{
    Activation, HeadKind, HeadSpec, HeadTransform, LayerSpec, Linear, Mlp, ModelSpec, Norm, NormKind,
    Positions, TensorId, TensorKind, TensorList, TensorSpec,
};
pub use transformer::{Input, Transformer};
pub use weights::{LoadProgress, Matrix, Part, Weights};
pub use workspace::{Extent, Workspace};
