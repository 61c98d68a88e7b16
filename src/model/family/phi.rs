//! Phi 1, 1.5 and 2 (Gunasekar et al. 2023, arXiv 2306.11644; Li et al. 2023, arXiv 2309.05463): a decoder whose attention and MLP
//! read the same normalized input, with rotary positions on a part of each head.

use super::parts::{AttentionNames, MlpLayers, Sizes};
use super::{activation, require};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{
    Attention, ClassifierSpec, Embedding, HeadSpec, LayerSpec, Mixer, ModelSpec, NormKind, Norms, Rotary,
    RotaryFields, TensorList,
};

/// The layers of the MLP.
const MLP: MlpLayers = MlpLayers::Plain { input: "mlp.fc1", output: "mlp.fc2" };

pub(super) fn phi(config: &Config) -> Result<ModelSpec> {
    require(config, "qk_layernorm", false, false)?;
    let sizes = Sizes::read(config, None)?;
    let Sizes { vocabulary, hidden, heads, kv_heads, head_dim, intermediate, .. } = sizes;
    let norm = NormKind::layer(config.f32_or("layer_norm_eps", 1e-5)?);
    let activation = activation(config, "hidden_act", "gelu_new")?;
    let fields = RotaryFields { partial: Some(0.5), ..RotaryFields::default() };
    let rotary = Some(Rotary::read(config, head_dim, fields)?);

    // Checkpoints saved from the base model without a head lack the prefix `model.`.
    let mut tensors = TensorList::new(&[("model.", "")]);
    let token_table = tensors.matrix("model.embed_tokens.weight", vocabulary, hidden);
    let layers = (0..sizes.layers).map(|i| {
        let layer = format!("model.layers.{i}");
        let norm = tensors.norm(format!("{layer}.input_layernorm"), norm, hidden);
        let attention =
            sizes.attention(&mut tensors, &layer, AttentionNames::with_output("dense"), (true, true), None);
        let mlp = sizes.mlp(&mut tensors, &layer, MLP, activation, true);
        LayerSpec {
            mixer: Mixer::Attention(Attention { rotary: rotary.clone(), ..attention }),
            mixer_norms: Norms::pre(norm),
            mlp,
            mlp_norms: Norms::pre(norm),
        }
    });
    let layers = layers.collect();
    let final_norm = tensors.norm("model.final_layernorm", norm, hidden);
    let tied = config.bool_or("tie_word_embeddings", false)?;
    let table = if tied { token_table } else { tensors.matrix("lm_head.weight", vocabulary, hidden) };
    let bias = Some(tensors.bias("lm_head.bias", vocabulary));
    Ok(ModelSpec {
        family: "phi",
        vocabulary,
        hidden,
        heads,
        kv_heads,
        head_dim,
        intermediate,
        max_length: config.u32_or("max_position_embeddings", 2048)?,
        causal: true,
        embedding: Embedding::of(token_table),
        layers,
        parallel_residual: true,
        final_norm: Some(final_norm),
        head: Ok(HeadSpec { bias, ..HeadSpec::of(table) }),
        classifier: Some(ClassifierSpec::last_token("PhiForSequenceClassification")),
        tensors,
    })
}
