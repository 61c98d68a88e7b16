//! A linear layer that an adapter may change.

/// A linear layer of the base model, with the name that `peft` uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The path, such as `model.layers.0.self_attn.q_proj`.
    pub path: String,
    /// Number of inputs.
    pub inputs: u64,
    /// Number of outputs.
    pub outputs: u64,
    /// Whether the base model stores the weight as `[inputs, outputs]`, which `peft` calls `fan_in_fan_out`. A and B have the
    /// same shapes either way.
    pub transposed: bool,
}

impl Module {
    /// The layer whose weight is the tensor `name` `[outputs, inputs]`; `None` unless the name ends in `.weight`.
    pub fn of_weight(name: &str, outputs: u64, inputs: u64) -> Option<Module> {
        let path = name.strip_suffix(".weight")?.to_owned();
        Some(Module { path, inputs, outputs, transposed: false })
    }

    /// Removes the first part of the path, which names the body of a model with a head.
    pub fn remove_body(&mut self) {
        if let Some((_, rest)) = self.path.split_once('.') {
            self.path = rest.to_owned();
        }
    }

    /// The name of the layer's weight in the base model.
    pub fn weight(&self) -> String {
        format!("{}.weight", self.path)
    }
}
