//! Adapters, which add to the base model: low-rank factors (LoRA, Hu et al. 2021, arXiv 2106.09685) and prefixes of keys and values
//! (Li and Liang 2021, arXiv 2101.00190). They are f32; the base weights may have any format.
//!
//! The tensors of an adapter have the ordinals after the model's T tensors. The adapted matrices are numbered layer by layer and,
//! within a layer, in the order query, key, value, output, gate, up, down. For matrix number i, A `[rank, inputs]` has the ordinal
//! T + 2i and B `[outputs, rank]` has T + 2i + 1. For a prefix, the keys of layer l `[length, kv_heads * head_dim]` have T + 2l and
//! its values T + 2l + 1.

use std::collections::BTreeMap;

use super::packed::Packed;
use super::spec::ModelSpec;
use super::tensors::{TensorId, TensorKind, TensorSpec};
use crate::error::{Result, bail};
use crate::gpu::{Backend, MemoryClass};

/// The kind and the size of an adapter.
#[derive(Clone, Debug, PartialEq)]
pub enum AdapterSpec {
    /// y += alpha / rank * B (A x). B is trained; A is trained only if `train_a` is set.
    Lora {
        /// The rank of the factors.
        rank: u32,
        /// Numerator of the scale.
        alpha: f32,
        /// Roles (q, k, v, o, gate, up, down), or last parts of module names; `all-linear` means all of them.
        targets: Vec<String>,
        /// Whether A is trained, which it is not in LoRA-FA (Zhang et al. 2023, arXiv 2308.03303).
        train_a: bool,
    },
    /// Rows of keys and values that are prepended to every sequence, in every layer.
    Prefix {
        /// Number of rows.
        length: u32,
    },
    /// The sum of low-rank updates of every matrix: y += B (A x), where A has fixed signs and `rank` columns of B are trained at a time.
    LowRank {
        /// The rank of one window's direction, a multiple of 4.
        rank: u32,
        /// Number of windows whose directions are kept in separate columns.
        slots: u32,
    },
}

/// A tensor of an adapter.
#[derive(Clone, Debug)]
pub struct AdapterTensor {
    /// The base tensor it belongs to and the factor, `a` or `b`; or, for a prefix, the layer and `key` or `value`.
    pub name: String,
    /// The tensor's ordinal.
    pub ordinal: TensorId,
    /// Number of rows.
    pub rows: u32,
    /// Elements per row.
    pub width: u32,
}

impl AdapterTensor {
    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.rows as usize * self.width as usize
    }
}

/// The adapter buffer that a tensor is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Materialized for every branch.
    Trained,
    /// Shared by all branches.
    Fixed,
}

/// Where a tensor is stored: its buffer, and its first element there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factor {
    pub group: Group,
    pub first: u32,
}

/// The two factors of a matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    /// `[rank, inputs]`.
    pub a: Factor,
    /// `[outputs, rank]`.
    pub b: Factor,
    /// A transposed, `[inputs, rank]`, for matrices whose rows are looked up.
    pub transposed: Option<Factor>,
    pub rank: u32,
    pub scale: f32,
}

/// An adapter's tensors on the device.
pub struct Adapter {
    spec: AdapterSpec,
    /// The trained tensors, in the order of their ordinals.
    pub trained: Packed,
    /// The tensors that are not trained: the signs of low-rank directions, or LoRA's A if it is frozen.
    pub fixed: Option<Packed>,
    tensors: Vec<AdapterTensor>,
    fixed_tensors: Vec<AdapterTensor>,
    adapted: Vec<TensorId>,
    pairs: BTreeMap<TensorId, Pair>,
}

impl Adapter {
    /// Allocates an adapter of zeros for a model. With [`AdapterSpec::LowRank`], it adapts the matrices selected by `chosen`.
    ///
    /// # Errors
    /// `invalid-argument` for a size of 0 or for targets that the model does not have; `limit-exceeded` if it does not fit in a binding.
    pub fn allocate(
        backend: &dyn Backend,
        model: &ModelSpec,
        spec: AdapterSpec,
        chosen: &dyn Fn(TensorId) -> bool,
    ) -> Result<Adapter> {
        let first = model.tensors.as_slice().len();
        let (mut tensors, mut fixed_tensors) = (Vec::new(), Vec::new());
        // For each adapted matrix, the indices of its factors in the first and in the second list.
        let mut adapted: Vec<(TensorId, usize, usize)> = Vec::new();
        match &spec {
            AdapterSpec::Lora { rank, alpha, targets, train_a } => {
                if *rank == 0 || *rank > 1024 || !alpha.is_finite() || *alpha <= 0.0 {
                    bail!(
                        InvalidArgument,
                        "LoRA of rank {rank} and alpha {alpha}: expected a rank of 1 to 1024 and an alpha above 0"
                    );
                }
                for (i, id) in lora_matrices(model, targets)?.into_iter().enumerate() {
                    let TensorSpec { name, rows, width, .. } = &model.tensors.as_slice()[id];
                    let ordinal = first + 2 * i;
                    adapted.push((id, tensors.len(), fixed_tensors.len()));
                    let of_a = if *train_a { &mut tensors } else { &mut fixed_tensors };
                    of_a.push(tensor(format!("{name}.a"), ordinal, *rank, *width));
                    tensors.push(tensor(format!("{name}.b"), ordinal + 1, *rows, *rank));
                }
            }
            AdapterSpec::Prefix { length } => {
                if *length == 0 || *length >= model.max_length {
                    let most = model.max_length - 1;
                    bail!(InvalidArgument, "a prefix of {length} rows, expected 1 to {most}");
                }
                if model.embedding.relative.is_some() {
                    bail!(
                        InvalidArgument,
                        "the model's attention depends on the distance of two tokens, which the keys of a prefix do not have; use LoRA or \
                         train all weights"
                    );
                }
                if model.has_convolutions() {
                    bail!(
                        InvalidArgument,
                        "a {} model has layers without attention, which a prefix of keys and values cannot reach; use LoRA or train all \
                         weights",
                        model.family
                    );
                }
                let width = model.kv_heads * model.head_dim;
                for layer in 0..model.layers.len() {
                    for (part, name) in ["key", "value"].into_iter().enumerate() {
                        let ordinal = first + 2 * layer + part;
                        tensors.push(tensor(format!("prefix.{layer}.{name}"), ordinal, *length, width));
                    }
                }
            }
            AdapterSpec::LowRank { rank, slots } => {
                if *rank == 0 || rank % 4 != 0 || *rank > 256 || *slots == 0 || *slots > 64 {
                    bail!(
                        InvalidArgument,
                        "low-rank directions of rank {rank}, expected a multiple of 4 up to 256"
                    );
                }
                let width = rank * slots;
                let matrices = model.tensors.as_slice().iter().enumerate();
                let matrices = matrices.filter(|(id, t)| t.kind == TensorKind::Matrix && chosen(*id));
                for (i, (id, matrix)) in matrices.enumerate() {
                    let ordinal = first + 2 * i;
                    adapted.push((id, tensors.len(), fixed_tensors.len()));
                    fixed_tensors.push(tensor(format!("{}.a", matrix.name), ordinal, width, matrix.width));
                    if model.looks_up(id) {
                        let name = format!("{}.a^T", matrix.name);
                        fixed_tensors.push(tensor(name, ordinal, matrix.width, width));
                    }
                    tensors.push(tensor(format!("{}.b", matrix.name), ordinal + 1, matrix.rows, width));
                }
            }
        }
        let list = |tensors: &[AdapterTensor]| -> Vec<(TensorId, u64)> {
            tensors.iter().map(|t| (t.ordinal, u64::from(t.rows) * u64::from(t.width))).collect()
        };
        let trained = Packed::allocate(backend, "adapter", MemoryClass::Adapter, list(&tensors))?;
        let fixed = match fixed_tensors.is_empty() {
            true => None,
            false => {
                Some(Packed::fixed(backend, "fixed factors", MemoryClass::Adapter, list(&fixed_tensors))?)
            }
        };
        let pairs = adapted.iter().filter_map(|&(id, in_first, in_second)| {
            let in_trained = |index| Factor { group: Group::Trained, first: trained.first(index) };
            let in_fixed =
                |index| fixed.as_ref().map(|fixed| Factor { group: Group::Fixed, first: fixed.first(index) });
            let pair = match &spec {
                AdapterSpec::LowRank { rank, slots } => {
                    let transposed = if model.looks_up(id) { Some(in_fixed(in_second + 1)?) } else { None };
                    let (a, b) = (in_fixed(in_second)?, in_trained(in_first));
                    Pair { a, b, transposed, rank: rank * slots, scale: 1.0 }
                }
                AdapterSpec::Lora { rank, alpha, train_a, .. } => {
                    let (a, b) = match train_a {
                        true => (in_trained(in_first), in_trained(in_first + 1)),
                        false => (in_fixed(in_second)?, in_trained(in_first)),
                    };
                    Pair { a, b, transposed: None, rank: *rank, scale: alpha / *rank as f32 }
                }
                AdapterSpec::Prefix { .. } => return None,
            };
            Some((id, pair))
        });
        let pairs = pairs.collect();
        let adapted = adapted.into_iter().map(|(id, ..)| id).collect();
        Ok(Adapter { spec, trained, fixed, tensors, fixed_tensors, adapted, pairs })
    }

    /// The kind and size of the adapter.
    pub fn spec(&self) -> &AdapterSpec {
        &self.spec
    }

    /// The trained tensors, in the order of [`Adapter::trained`].
    pub fn tensors(&self) -> &[AdapterTensor] {
        &self.tensors
    }

    /// The values of the trained tensors.
    ///
    /// # Errors
    /// Errors from the backend.
    pub async fn trained_values(&self, backend: &dyn Backend) -> Result<Vec<Vec<f32>>> {
        let mut values = Vec::new();
        for index in 0..self.tensors.len() {
            values.push(self.trained.read(backend, index).await?);
        }
        Ok(values)
    }

    /// The fixed tensors, in the order of [`Adapter::fixed`]. Each adapted matrix has A and, if its rows are looked up, A
    /// transposed with the same ordinal.
    pub fn fixed_tensors(&self) -> &[AdapterTensor] {
        &self.fixed_tensors
    }

    /// All tensors, trained or fixed, in the order of their ordinals, each with its buffer and its index in that buffer.
    pub fn stored(&self) -> Vec<(&AdapterTensor, &Packed, usize)> {
        let trained = self.tensors.iter().enumerate().map(|(index, tensor)| (tensor, &self.trained, index));
        let fixed = self.fixed.iter().flat_map(|fixed| {
            self.fixed_tensors.iter().enumerate().map(move |(index, tensor)| (tensor, fixed, index))
        });
        let mut all: Vec<_> = trained.chain(fixed).collect();
        all.sort_by_key(|(tensor, ..)| tensor.ordinal);
        all
    }

    /// The matrices that have factors, in the order of the factors' ordinals.
    pub fn adapted(&self) -> &[TensorId] {
        &self.adapted
    }

    /// The factors of a matrix.
    pub(super) fn pair(&self, id: TensorId) -> Option<&Pair> {
        self.pairs.get(&id)
    }

    /// The largest rank of a pair; 0 for a prefix.
    pub(super) fn rank(&self) -> u32 {
        self.pairs.values().map(|pair| pair.rank).max().unwrap_or(0)
    }

    /// The number of prefix rows, and the elements where the keys and values of layer `layer` begin.
    pub(super) fn prefix(&self, layer: usize) -> Option<(u32, Factor, Factor)> {
        let at = |index| Factor { group: Group::Trained, first: self.trained.first(index) };
        match self.spec {
            AdapterSpec::Prefix { length } => Some((length, at(2 * layer), at(2 * layer + 1))),
            _ => None,
        }
    }

    /// The number of rows of the prefix; 0 without a prefix.
    pub fn prefix_length(&self) -> u32 {
        self.prefix(0).map_or(0, |(length, ..)| length)
    }
}

fn tensor(name: String, ordinal: TensorId, rows: u32, width: u32) -> AdapterTensor {
    AdapterTensor { name, ordinal, rows, width }
}

/// The matrices of the linear layers that match the LoRA targets, in canonical order. A fused matrix, which contains several
/// layers, is adapted as a whole if any of them is named.
///
/// # Errors
/// `invalid-argument` for a target that the model does not have, or if there are no targets.
pub fn lora_matrices(model: &ModelSpec, targets: &[String]) -> Result<Vec<TensorId>> {
    let mut known = Vec::new();
    let mut matrices = Vec::new();
    let mut used = vec![false; targets.len()];
    for (role, linear) in model.linears() {
        let name = &model.tensors.as_slice()[linear.weight].name;
        let module = name.strip_suffix(".weight").unwrap_or(name);
        let matches = |target: &String| {
            target == role
                || target == "all-linear"
                || module == target
                || module.strip_suffix(target.as_str()).is_some_and(|rest| rest.ends_with('.'))
        };
        let mut hit = false;
        for (target, used) in targets.iter().zip(&mut used) {
            let matched = matches(target);
            *used |= matched;
            hit |= matched;
        }
        if hit && !matrices.contains(&linear.weight) {
            matrices.push(linear.weight);
        }
        for name in [role, module.rsplit('.').next().unwrap_or(module)] {
            if !known.contains(&name) {
                known.push(name);
            }
        }
    }
    if let Some((target, _)) = targets.iter().zip(&used).find(|(_, used)| !**used) {
        bail!(
            InvalidArgument,
            "no linear layer is called {target:?}; expected one of {}, all-linear",
            known.join(", ")
        );
    }
    if matrices.is_empty() {
        bail!(InvalidArgument, "LoRA needs target modules, such as q,v");
    }
    Ok(matrices)
}
