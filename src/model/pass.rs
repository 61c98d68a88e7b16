//! One pass through the transformer while it is being recorded: the model, the batch, the buffers and the recording.

use std::collections::BTreeMap;

use super::adapter::{Factor, Group, Pair};
use super::kv_cache::KvCache;
use super::spec::ModelSpec;
use super::tensors::TensorId;
use super::transformer::Transformer;
use super::weights::Matrix;
use super::workspace::Workspace;
use crate::dtype::DType;
use crate::error::Result;
use crate::gemm::Plan;
use crate::gpu::{Buffer, Recording};
use crate::kernel::activation::Activation;
use crate::kernel::{NO_BIAS, gather_rows};
use crate::text::batch::Batch;

/// A pass being recorded. Its methods are spread over the files of this folder: [`super::forward`] gives the order of execution,
/// and each of the other files records one part.
pub(super) struct Pass<'a> {
    /// The model.
    pub model: &'a Transformer,
    /// The buffers that the pass uses.
    pub ws: &'a Workspace,
    /// The dispatches so far.
    pub r: Recording,
    /// How the matmuls in the recording are computed.
    pub plan: Plan,
    /// The step as materialized weights are computed with it: [`Workspace::step`] or [`Workspace::step_without_updates`].
    pub step: &'a Buffer,
    /// B, the number of branches. 0 records updates only.
    pub branches: u32,
    /// T: the tokens of each branch.
    pub tokens: u32,
    /// The number of tokens of the longest sequence.
    pub longest: u32,
    /// Whether the pass uses the stored weights unperturbed. It then has one branch, and kernels read the stored weights directly.
    pub plain: bool,
    /// The number of pairs of a token and a key that it sees, summed over all tokens.
    pub visible: u64,
    /// The keys and values of earlier tokens. The pass appends those of its own tokens.
    pub cache: Option<&'a KvCache>,
    /// The copies of the inputs of linear layers, if inputs are collected.
    pub inputs: Option<&'a Inputs>,
}

impl<'a> Pass<'a> {
    /// A pass of `batch` with `branches` branches of perturbed weights.
    pub(super) fn perturbed(
        model: &'a Transformer,
        ws: &'a Workspace,
        batch: &Batch,
        branches: u32,
    ) -> Pass<'a> {
        // Causal attention sees about half of these pairs, which is close enough to bound the work of a submission.
        let visible = batch.cu_seqlens.windows(2).map(|s| u64::from(s[1] - s[0]).pow(2)).sum();
        Pass {
            model,
            ws,
            r: Recording::new(),
            plan: model.plan(ws),
            step: &ws.step,
            branches,
            tokens: batch.ids.len() as u32,
            longest: batch.longest(),
            plain: false,
            visible,
            cache: None,
            inputs: None,
        }
    }

    /// A pass of `batch` with the stored weights.
    pub(super) fn plain(model: &'a Transformer, ws: &'a Workspace, batch: &Batch) -> Pass<'a> {
        Pass { plain: true, ..Pass::perturbed(model, ws, batch, 1) }
    }

    /// A pass of `batch`, one sequence, with the stored weights. It also sees the cached tokens, and its own tokens are appended to
    /// the cache.
    pub(super) fn cached(
        model: &'a Transformer,
        ws: &'a Workspace,
        batch: &Batch,
        cache: &'a KvCache,
    ) -> Pass<'a> {
        let tokens = batch.ids.len() as u64;
        let visible = tokens * (u64::from(cache.length) + tokens);
        Pass { visible, cache: Some(cache), ..Pass::plain(model, ws, batch) }
    }

    /// Not a forward pass: only the pending updates of weights are recorded.
    pub(super) fn of_updates(model: &'a Transformer, ws: &'a Workspace) -> Pass<'a> {
        Pass::perturbed(model, ws, &Batch::default(), 0)
    }

    /// The model's description.
    pub(super) fn spec(&self) -> &'a ModelSpec {
        self.model.spec()
    }

    /// Runs what has been recorded so far, and starts an empty recording.
    ///
    /// # Errors
    /// Errors from the backend.
    pub(super) async fn run(&mut self) -> Result<()> {
        let recorded = std::mem::take(&mut self.r);
        self.plan = self.model.plan(self.ws);
        self.model.backend().run(&recorded).await
    }

    /// The format of a matrix that the pass reads directly; `None` if each branch sees it perturbed.
    pub(super) fn stored(&self, matrix: &Matrix) -> Option<DType> {
        (self.plain || !matrix.trained).then_some(matrix.dtype)
    }

    /// The low-rank factors that adapt a matrix.
    pub(super) fn pair(&self, matrix: TensorId) -> Option<&'a Pair> {
        self.model.adapter().and_then(|adapter| adapter.pair(matrix))
    }

    /// A factor of the adapter: as each branch sees it, or as it is stored.
    pub(super) fn factor(&self, factor: Factor) -> Option<BranchWeights<'a>> {
        let adapter = self.model.adapter()?;
        let (buffer, branch) = match (factor.group, &self.ws.adapter) {
            (Group::Trained, Some(materialized)) if !self.plain => (materialized, adapter.trained.stride()),
            (Group::Trained, _) => (&adapter.trained.stored, 0),
            (Group::Fixed, _) => (&adapter.fixed.as_ref()?.stored, 0),
        };
        Some(BranchWeights { buffer, start: factor.first, branch })
    }

    /// The norms and biases: as each branch sees them, or as they are stored.
    pub(super) fn norms_and_biases(&self) -> NormsAndBiases<'a> {
        let vectors = self.model.weights().norms_and_biases();
        match &self.ws.norms_and_biases {
            Some(materialized) if !self.plain => {
                NormsAndBiases { buffer: materialized, stride: vectors.stride() }
            }
            _ => NormsAndBiases { buffer: &vectors.stored, stride: 0 },
        }
    }

    /// Copies the input x `[token, width]` of a matrix, if a caller collects inputs.
    pub(super) fn keep_input(&mut self, matrix: TensorId, x: &Buffer, width: u32) {
        if let Some(inputs) = self.inputs
            && let Some(copy) = inputs.of.get(&matrix)
        {
            let params = gather_rows::Params {
                branches: 1,
                x_start: 0,
                x_branch: 0,
                count: self.tokens,
                width,
                scale: 1.0,
            };
            gather_rows::record(&mut self.r, x, &inputs.every_row, copy, params);
        }
    }

    /// The offset of a vector in [`Pass::norms_and_biases`], or [`NO_BIAS`] if there is none.
    ///
    /// # Errors
    /// `invalid-argument` only if a family's spec is wrong.
    pub(super) fn offset(&self, id: Option<TensorId>) -> Result<u32> {
        id.map_or(Ok(NO_BIAS), |id| self.model.weights().vector(id))
    }
}

/// Copies of the inputs of linear layers, made during a pass.
pub(super) struct Inputs {
    /// The indices of all tokens.
    pub every_row: Buffer,
    /// The input of each matrix: `[token, width]`.
    pub of: BTreeMap<TensorId, Buffer>,
}

/// The model's norms and biases as a pass sees them.
#[derive(Clone, Copy)]
pub(super) struct NormsAndBiases<'a> {
    pub buffer: &'a Buffer,
    /// Elements between branches; 0 if all branches share them.
    pub stride: u32,
}

/// The weights of a matmul.
#[derive(Clone, Copy)]
pub(super) struct BranchWeights<'a> {
    pub buffer: &'a Buffer,
    /// First element.
    pub start: u32,
    /// Elements between branches; 0 if all branches share them.
    pub branch: u32,
}

/// The destination of a linear layer: the columns from `column` on, in rows that are `stride` elements apart.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub buffer: &'a Buffer,
    pub stride: u32,
    pub column: u32,
    /// If 0, the result overwrites the destination. Otherwise the result times this factor is added to it.
    pub added: f32,
    /// The activation applied to the result before it is written; only if whole rows are overwritten.
    pub activation: Option<Activation>,
}

impl<'a> Target<'a> {
    /// Whole rows of `width` elements, overwritten.
    pub(super) fn new(buffer: &'a Buffer, width: u32) -> Self {
        Target { buffer, stride: width, column: 0, added: 0.0, activation: None }
    }

    /// Whole rows of `width` elements to which the result is added.
    pub(super) fn onto(buffer: &'a Buffer, width: u32) -> Self {
        Target { added: 1.0, ..Target::new(buffer, width) }
    }
}
