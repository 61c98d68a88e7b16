//! One transformer for all families, described by a [`ModelSpec`]: weights on the device, forward pass, heads and generation.

mod adapter;
mod attention;
mod classifier;
mod convolution;
mod distances;
mod factors;
pub mod family;
mod features;
mod forward;
mod generate;
mod heads;
mod inputs;
mod kv_cache;
mod linear;
mod loading;
mod mixer;
mod norms;
mod packed;
mod pass;
mod pooling;
mod published;
mod readout;
mod relative;
mod rotary;
mod rotary_fields;
mod run;
mod spec;
mod stored;
mod streamed;
mod tables;
mod tensors;
mod transformer;
mod updates;
mod weights;
mod workspace;

pub use adapter::{Adapter, AdapterSpec, AdapterTensor, lora_matrices};
pub use classifier::{ClassifierActivation, ClassifierDense, ClassifierSpec};
pub use generate::{Generation, Sampling};
pub use heads::Score;
pub use loading::LoadProgress;
pub use packed::Packed;
pub use pooling::Pooling;
pub use published::{check_copies, check_tensors, refuse_quantized, refuse_unused, without_missing_head};
pub use readout::ReadoutHead;
pub use relative::{Disentangled, RelativePositions};
pub use rotary::{Rotary, RotaryScaling};
pub use rotary_fields::RotaryFields;
pub(crate) use run::OVERGROWN;
pub use run::{BranchScores, Evaluation};
pub use spec::{
    Activation, Attention, Convolution, Embedding, HeadKind, HeadSpec, HeadTransform, LayerSpec,
    LearnedPositions, Mixer, Mlp, ModelSpec, Norms, Projection,
};
pub use stored::{formats, stored_as};
pub use tensors::{Linear, Norm, NormKind, Taps, TensorId, TensorKind, TensorList, TensorSpec};
pub use transformer::Transformer;
pub use weights::{Matrix, Part, Weights};
pub use workspace::{Capacity, Extent, Workspace};
