//! How the `*ForSequenceClassification` classes of transformers compute their logits from a model's hidden states.

use super::pooling::Pooling;
use super::tensors::NormKind;
use crate::kernel::activation::Activation;

/// The head of a family's text classification class: an output layer on the hidden states of some tokens, usually preceded by a
/// dense layer.
#[derive(Clone, Copy, Debug)]
pub struct ClassifierSpec {
    /// The class, such as `BertForSequenceClassification`.
    pub class: &'static str,
    /// The tokens whose hidden states are read.
    pub pooling: Pooling,
    /// The layer before the output layer, `[hidden, hidden]`.
    pub dense: Option<ClassifierDense>,
    /// The name of the output layer, `[labels, hidden]`.
    pub output: &'static str,
    /// Whether the output layer has biases.
    pub bias: bool,
}

/// norm(activation(W x + b)).
#[derive(Clone, Copy, Debug)]
pub struct ClassifierDense {
    /// The layer's name.
    pub name: &'static str,
    /// Whether the layer has biases.
    pub bias: bool,
    /// The nonlinearity.
    pub activation: ClassifierActivation,
    /// The name of a layer norm, and its kind.
    pub norm: Option<(&'static str, NormKind)>,
}

/// The nonlinearity of a classifier's dense layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClassifierActivation {
    /// The hyperbolic tangent.
    Tanh,
    /// A nonlinearity of MLPs.
    Of(Activation),
}

impl ClassifierSpec {
    /// Whether a tensor belongs to the head.
    pub fn has(&self, tensor: &str) -> bool {
        let norm = self.dense.as_ref().and_then(|dense| dense.norm.as_ref()).map(|(name, _)| *name);
        let layers = [Some(self.output), self.dense.as_ref().map(|dense| dense.name), norm];
        let layer = tensor.strip_suffix(".weight").or_else(|| tensor.strip_suffix(".bias"));
        layer.is_some_and(|layer| layers.contains(&Some(layer)))
    }

    /// The head of causal models: `score`, without biases, on the last token.
    pub fn last_token(class: &'static str) -> ClassifierSpec {
        ClassifierSpec { class, pooling: Pooling::Last, dense: None, output: "score", bias: false }
    }

    /// The head of encoders: a dense layer and an activation on the first token, then the outputs, both with biases.
    pub fn first_token(
        class: &'static str,
        dense: &'static str,
        activation: ClassifierActivation,
        output: &'static str,
    ) -> ClassifierSpec {
        let dense = Some(ClassifierDense { name: dense, bias: true, activation, norm: None });
        ClassifierSpec { class, pooling: Pooling::First, dense, output, bias: true }
    }
}
