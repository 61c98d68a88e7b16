//! GPT-J (Wang and Komatsuzaki 2021): a decoder whose attention and MLP read the same normalized input, and whose rotary positions turn
//! adjacent columns of a part of each head.

use super::{activation, head_dim, layer_count};
use crate::error::{Result, bail};
use crate::format::config::{Aliases, Config};
use crate::model::{
    Attention, ClassifierSpec, Embedding, HeadSpec, LayerSpec, Mixer, Mlp, ModelSpec, NormKind, Norms,
    Rotary, RotaryScaling, TensorList,
};

/// GPT-J's own names for fields that other families also have.
const ALIASES: Aliases = &[
    ("hidden_size", "n_embd"),
    ("max_position_embeddings", "n_positions"),
    ("num_attention_heads", "n_head"),
    ("num_hidden_layers", "n_layer"),
];

pub(super) fn gptj(config: &Config) -> Result<ModelSpec> {
    let config = &config.with_aliases(ALIASES);
    let hidden = config.u32("hidden_size")?;
    let heads = config.u32("num_attention_heads")?;
    let head_dim = head_dim(config, hidden, heads)?;
    let intermediate = config.u32_or("n_inner", hidden.saturating_mul(4))?;
    let vocabulary = config.u32("vocab_size")?;
    let norm = NormKind::layer(config.f32_or("layer_norm_epsilon", 1e-5)?);
    let activation = activation(config, "activation_function", "gelu_new")?;
    let rotary = Rotary {
        theta: 10_000.0,
        dim: rotary_dim(config, head_dim)?,
        adjacent: true,
        scaling: RotaryScaling::None,
    };

    // Checkpoints saved from the base model without a head lack the prefix.
    let mut tensors = TensorList::new(&[("transformer.", "")]);
    let token_table = tensors.matrix("transformer.wte.weight", vocabulary, hidden);
    let layers = (0..layer_count(config, "num_hidden_layers")?).map(|i| {
        let layer = format!("transformer.h.{i}");
        let norm = tensors.norm(format!("{layer}.ln_1"), norm, hidden);
        let square = |tensors: &mut TensorList, name| {
            tensors.linear(format!("{layer}.attn.{name}"), hidden, hidden, false)
        };
        let key = square(&mut tensors, "k_proj");
        let value = square(&mut tensors, "v_proj");
        let query = square(&mut tensors, "q_proj");
        let output = square(&mut tensors, "out_proj");
        let up = tensors.linear(format!("{layer}.mlp.fc_in"), intermediate, hidden, true);
        let down = tensors.linear(format!("{layer}.mlp.fc_out"), hidden, intermediate, true);
        let attention = Attention::new(head_dim, query, key, value, output);
        LayerSpec {
            mixer: Mixer::Attention(Attention { rotary: Some(rotary.clone()), ..attention }),
            mixer_norms: Norms::pre(norm),
            mlp: Mlp::Plain { up, activation, down },
            mlp_norms: Norms::pre(norm),
        }
    });
    let layers = layers.collect();
    let final_norm = tensors.norm("transformer.ln_f", norm, hidden);
    let tied = config.bool_or("tie_word_embeddings", false)?;
    let table = if tied { token_table } else { tensors.matrix("lm_head.weight", vocabulary, hidden) };
    let bias = Some(tensors.bias("lm_head.bias", vocabulary));
    Ok(ModelSpec {
        family: "gptj",
        vocabulary,
        hidden,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate,
        max_length: config.u32_or("max_position_embeddings", 2048)?,
        causal: true,
        embedding: Embedding::of(token_table),
        layers,
        parallel_residual: true,
        final_norm: Some(final_norm),
        head: Ok(HeadSpec { bias, ..HeadSpec::of(table) }),
        classifier: Some(ClassifierSpec::last_token("GPTJForSequenceClassification")),
        tensors,
    })
}

/// The columns of a head that are rotated.
fn rotary_dim(config: &Config, head_dim: u32) -> Result<u32> {
    let (field, name) = ("rotary_dim", config.name());
    if config.is_null(field) {
        bail!(ModelUnsupported, "{name}: {field} is null, expected a number");
    }
    match config.u32_or(field, 64)? {
        dim if dim > 0 && dim <= head_dim && dim.is_multiple_of(2) => Ok(dim),
        dim => {
            bail!(
                ModelUnsupported,
                "{name}: {field} is {dim}, expected an even number from 2 to the head size {head_dim}"
            )
        }
    }
}
