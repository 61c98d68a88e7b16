//! The activation of a feed-forward layer.

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("activation");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Number of elements.
        pub count: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    Activation::ALL.iter().map(|a| Variant::from(&KERNEL).provide("activate", a.snippet())).collect()
}

/// `x[i] = activate(x[i])` for `count` elements.
pub fn record(recording: &mut Recording, activation: Activation, x: &Buffer, count: u32) {
    let variant = Variant::from(&KERNEL).provide("activate", activation.snippet());
    let elements = u64::from(count);
    let cost = Cost { work: 20 * elements, bytes: 8 * elements };
    recording.push(variant, &Params { count }, vec![x.into()], super::threads(elements), cost);
}

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x/2 (1 + erf(x / sqrt 2)).
    Gelu,
    /// GELU with tanh instead of erf: `gelu_new`, `gelu_pytorch_tanh`.
    GeluTanh,
    /// GELU with a sigmoid instead of erf: `quick_gelu`.
    GeluSigmoid,
    /// max(x, 0).
    Relu,
    /// The square of max(x, 0): `relu2`.
    ReluSquared,
    /// x sigmoid(x).
    Silu,
}

impl Activation {
    /// All activations.
    pub const ALL: [Activation; 6] = [
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Relu,
        Activation::Silu,
        Activation::GeluSigmoid,
        Activation::ReluSquared,
    ];

    /// The snippet that provides `activate`.
    pub fn snippet(self) -> &'static str {
        match self {
            Activation::Gelu => "activation_gelu",
            Activation::GeluTanh => "activation_gelu_tanh",
            Activation::GeluSigmoid => "activation_gelu_sigmoid",
            Activation::Relu => "activation_relu",
            Activation::ReluSquared => "activation_relu_squared",
            Activation::Silu => "activation_silu",
        }
    }
}
