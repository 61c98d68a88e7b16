//! The BERT encoder, with learned positions, and with post-norms or pre-norms. Families differ from it mainly in names, which
//! [`Names`] lists.

use super::{activation, at_least_one, head_dim, layer_count};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{
    Activation, Attention, ClassifierSpec, Disentangled, Embedding, HeadSpec, HeadTransform, LayerSpec,
    LearnedPositions, Mixer, Mlp, ModelSpec, Norm, NormKind, Norms, RelativePositions, TensorId, TensorList,
};

/// How a family differs from the base architecture.
pub(super) struct Names {
    /// `model_type`.
    pub family: &'static str,
    /// The nonlinearity of the layers, unless the configuration says otherwise.
    pub activation: &'static str,
    /// The prefix of the names of all tensors except those of the head.
    pub prefix: &'static str,
    /// The head's dense layer.
    pub dense: &'static str,
    /// The head's norm.
    pub norm: &'static str,
    /// The layer that scores the vocabulary.
    pub decoder: &'static str,
    /// The bias of that layer.
    pub bias: &'static str,
    /// The nonlinearity of the head; `None` if it is the same as that of the layers.
    pub head_activation: Option<Activation>,
    /// The classifier's head.
    pub classifier: ClassifierSpec,
    /// The modules of a layer.
    pub layer: LayerNames,
    /// How layers share their weights; `None` if each has its own.
    pub sharing: Option<Sharing>,
    /// Whether tokens have types.
    pub types: bool,
    /// The number of task types, if tokens have them.
    pub tasks: Option<u32>,
    /// Relative positions.
    pub relative: Relative,
    /// Rows of the table of learned positions before position 0; `None` without learned positions.
    pub position_offset: Option<u32>,
    /// The epsilon of norms, unless the configuration says otherwise.
    pub epsilon: f32,
    /// Width of the embeddings; `None` for the hidden width.
    pub width: Option<u32>,
    /// The layer that projects embeddings to the hidden width, after the prefix, if there is one.
    pub projection: Option<&'static str>,
    /// What pre-norms change; `None` for post-norms, as in BERT.
    pub pre_norms: Option<PreNorms>,
}

/// The names of the modules of a layer, after the layer's number.
#[derive(Clone, Copy)]
pub(super) struct LayerNames {
    pub query: &'static str,
    pub key: &'static str,
    pub value: &'static str,
    /// The attention's output projection.
    pub output: &'static str,
    /// The attention's norm.
    pub attention_norm: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    /// The MLP's norm.
    pub mlp_norm: &'static str,
}

/// BERT's names.
pub(super) const OF_BERT: LayerNames = LayerNames {
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    mlp_norm: "output.LayerNorm",
};

/// Groups of layers that are executed again and again with the same weights, as in ALBERT.
#[derive(Clone, Copy)]
pub(super) struct Sharing {
    /// The list of groups, after the prefix.
    pub path: &'static str,
    /// The list of a group's layers, after the group's number.
    pub inner: &'static str,
    /// Number of groups.
    pub groups: u32,
    /// Number of layers in a group.
    pub layers: u32,
}

impl Sharing {
    /// The group of an execution, where `executions` is their number. It is computed as transformers does, in f64.
    fn group(self, execution: u32, executions: u32) -> usize {
        (f64::from(execution) / (f64::from(executions) / f64::from(self.groups))) as usize
    }
}

/// BERT's epsilon of norms.
pub(super) const EPSILON: f32 = 1e-12;

/// The relative positions of a family.
#[derive(Clone, Copy)]
pub(super) enum Relative {
    /// None.
    None,
    /// A bias for each distance, from a table with so many rows.
    Bias(u32),
    /// Disentangled attention.
    Disentangled {
        /// Number of buckets on each side.
        span: u32,
        /// If distant tokens share buckets, the number of positions that these are made for.
        positions: Option<u32>,
        /// Whether the embeddings of distances are normalized.
        normalized: bool,
    },
}

/// Pre-norms.
pub(super) struct PreNorms {
    /// The norm of the last layer's output, after the prefix.
    pub last: &'static str,
    /// Whether the embeddings are normalized.
    pub embedding: bool,
}

/// The spec of a family of this architecture.
pub(super) fn encoder(config: &Config, names: &Names) -> Result<ModelSpec> {
    let kind = config.str_or("position_embedding_type", "absolute")?;
    if kind != "absolute" {
        let name = config.name();
        bail!(
            ModelUnsupported,
            "{name}: position_embedding_type {kind:?}, but only \"absolute\" is implemented"
        );
    }
    super::require(config, "is_decoder", false, false)?;
    let hidden = config.u32("hidden_size")?;
    let heads = config.u32("num_attention_heads")?;
    let head_dim = head_dim(config, hidden, heads)?;
    let intermediate = config.u32("intermediate_size")?;
    let vocabulary = config.u32("vocab_size")?;
    let positions = config.u32("max_position_embeddings")?;
    let norm = NormKind::layer(config.f32_or("layer_norm_eps", names.epsilon)?);
    let hidden_act = activation(config, "hidden_act", names.activation)?;
    let width = names.width.unwrap_or(hidden);

    let family = names.prefix.trim_end_matches('.');
    // Checkpoints of the first BERT release call a norm's parameters gamma and beta. Sentence encoders are saved from the base
    // model without a head, so their names lack the family's prefix.
    let mut tensors = TensorList::new(&[
        (names.prefix, ""),
        ("LayerNorm.weight", "LayerNorm.gamma"),
        ("LayerNorm.bias", "LayerNorm.beta"),
        ("predictions.bias", "predictions.decoder.bias"),
        ("lm_head.bias", "lm_head.decoder.bias"),
    ]);
    let token_table =
        tensors.matrix(format!("{family}.embeddings.word_embeddings.weight"), vocabulary, width);
    let learned = names.position_offset.map(|offset| LearnedPositions {
        table: tensors.matrix(format!("{family}.embeddings.position_embeddings.weight"), positions, width),
        offset,
        // If the positions start after the padding token's row, transformers does not count padding tokens.
        padding: offset.checked_sub(1),
    });
    let type_table = match names.types {
        true => Some(type_table(config, &mut tensors, family, width)?),
        false => None,
    };
    let tasks = names.tasks.map(|tasks| {
        tensors.matrix(format!("{family}.embeddings.task_type_embeddings.weight"), tasks, width)
    });
    let normalized = names.pre_norms.as_ref().is_none_or(|norms| norms.embedding);
    let embedding_norm =
        normalized.then(|| tensors.norm(format!("{family}.embeddings.LayerNorm"), norm, width));
    let projection =
        names.projection.map(|name| tensors.linear(format!("{family}.{name}"), hidden, width, true));
    let around: fn(Norm) -> Norms = if names.pre_norms.is_some() { Norms::pre } else { Norms::post };
    let mut layer = |layer: String| {
        let LayerNames { query, key, value, output, attention_norm, up, down, mlp_norm } = names.layer;
        let [query, key, value, output] = [query, key, value, output]
            .map(|name| tensors.linear(format!("{layer}.{name}"), hidden, hidden, true));
        let attention_norm = tensors.norm(format!("{layer}.{attention_norm}"), norm, hidden);
        let up = tensors.linear(format!("{layer}.{up}"), intermediate, hidden, true);
        let down = tensors.linear(format!("{layer}.{down}"), hidden, intermediate, true);
        let mlp_norm = tensors.norm(format!("{layer}.{mlp_norm}"), norm, hidden);
        let mut attention = Attention::new(head_dim, query, key, value, output);
        if let Relative::Disentangled { .. } = names.relative {
            // Each score is the sum of three products.
            attention.scale = 1.0 / (3.0 * head_dim as f32).sqrt();
        }
        LayerSpec {
            mixer: Mixer::Attention(attention),
            mixer_norms: around(attention_norm),
            mlp: Mlp::Plain { up, activation: hidden_act, down },
            mlp_norms: around(mlp_norm),
        }
    };
    let executions = layer_count(config, "num_hidden_layers")?;
    let layers = match names.sharing {
        None => (0..executions).map(|i| layer(format!("{family}.encoder.layer.{i}"))).collect(),
        Some(sharing) => {
            let group = |group: u32| -> Vec<LayerSpec> {
                let Sharing { path, inner, .. } = sharing;
                (0..sharing.layers).map(|i| layer(format!("{family}.{path}.{group}.{inner}.{i}"))).collect()
            };
            let groups: Vec<Vec<LayerSpec>> = (0..sharing.groups).map(group).collect();
            (0..executions).flat_map(|i| groups[sharing.group(i, executions)].clone()).collect()
        }
    };
    let relative = match names.relative {
        Relative::None => None,
        Relative::Bias(buckets) => {
            let table = format!("{family}.encoder.relative_attention_bias.weight");
            Some(RelativePositions::Bias { table: tensors.matrix(table, buckets, heads) })
        }
        Relative::Disentangled { span, positions, normalized } => {
            let table = format!("{family}.encoder.rel_embeddings.weight");
            let table = tensors.matrix(table, span.saturating_mul(2), hidden);
            let norm = normalized.then(|| tensors.norm(format!("{family}.encoder.LayerNorm"), norm, hidden));
            Some(RelativePositions::Disentangled(Disentangled { table, norm, span, positions }))
        }
    };
    let final_norm =
        names.pre_norms.as_ref().map(|norms| tensors.norm(format!("{family}.{}", norms.last), norm, hidden));
    let dense = tensors.linear(names.dense, width, hidden, true);
    let head_norm = tensors.norm(names.norm, norm, width);
    // If the output matrix is tied to the embedding, its bias has a different name.
    let tied = config.bool_or("tie_word_embeddings", true)?;
    let (head_table, bias) = match tied {
        true => (token_table, names.bias.to_owned()),
        false => {
            let weight = tensors.matrix(format!("{}.weight", names.decoder), vocabulary, width);
            (weight, format!("{}.bias", names.decoder))
        }
    };
    let bias = tensors.bias(bias, vocabulary);
    let transform =
        HeadTransform { dense, activation: names.head_activation.unwrap_or(hidden_act), norm: head_norm };
    Ok(ModelSpec {
        family: names.family,
        vocabulary,
        hidden,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate,
        max_length: positions.saturating_sub(names.position_offset.unwrap_or(0)),
        causal: false,
        embedding: Embedding {
            types: type_table,
            tasks,
            relative,
            positions: learned,
            norm: embedding_norm,
            projection,
            projected_last: projection.is_some(),
            ..Embedding::of(token_table)
        },
        layers,
        parallel_residual: false,
        final_norm,
        head: Ok(HeadSpec { transform: Some(transform), bias: Some(bias), ..HeadSpec::of(head_table) }),
        classifier: Some(names.classifier),
        tensors,
    })
}

/// The table of token types.
///
/// # Errors
/// `model-unsupported` for a table without rows. transformers fails in this case, because all tokens have type 0.
fn type_table(config: &Config, tensors: &mut TensorList, family: &str, width: u32) -> Result<TensorId> {
    let types = at_least_one(config, "type_vocab_size", 2)?;
    Ok(tensors.matrix(format!("{family}.embeddings.token_type_embeddings.weight"), types, width))
}
