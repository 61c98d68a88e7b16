//! The GPU memory that a run will need, computed before any weight is read.
//!
//! The run's own allocations are made on a backend that only counts ([`crate::gpu::Dry`]): its weights, its adapter, and the
//! workspace of its largest passes, which are also recorded there. So a plan equals what a device will count.

use serde::Serialize;

use super::classifier::Classifier;
use super::encoder::Examples;
use super::evaluation::{TOKENS, fitting};
use super::method::{LoraA, Method, Setup};
use super::session::Session;
use super::settings::Objective;
use super::settings::Settings;
use super::updater::Updater;
use crate::dtype::DType;
use crate::error::Result;
use crate::model::{Extent, HeadKind, LayerSpec, Mixer, Mlp, ModelSpec, Pooling, Sampling, Score};
use crate::text::batch::Batch;
use crate::text::encode::{Example, Target};
use crate::zo::random::Order;
use crate::zo::update;

/// Number of examples that are drawn to find the largest batch of a run. Later batches are rarely larger.
const DRAWN: u32 = 1 << 20;

/// Bytes of GPU memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Stored weights.
    pub weights: u64,
    /// An adapter's tensors.
    pub adapter: u64,
    /// Weights of the branches.
    pub scratch: u64,
    /// Hidden states, logits and the like.
    pub activations: u64,
    /// Uniforms and read-back.
    pub transfer: u64,
    /// The peak over the whole run.
    pub peak: u64,
    /// The least memory that Adam over all parameters would take, in f32: weights, gradients and two moments, and what
    /// the backward pass needs for a batch: for each token of a layer the inputs of norms and linear layers, queries,
    /// keys, values, the MLP before and after its nonlinearity; for each target its logits. The attention probabilities
    /// are left out, as if they were recomputed.
    pub adam: u64,
}

/// The sizes of the examples of a run.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    /// Number of tokens and targets of each training example.
    pub examples: Vec<[u32; 2]>,
    /// The label of each training example ([`Example::label`]), by which a balanced order spreads them; 0 if it has none.
    pub classes: Vec<u32>,
    /// Number of tokens and targets of each evaluation example.
    pub held_out: Vec<[u32; 2]>,
    /// Maximum tokens of a generated answer (0 if none is generated), and tokens of the longest prompt.
    pub written: [u32; 2],
    /// Number of label words.
    pub labels: u32,
}

impl Sizes {
    /// The sizes of encoded examples.
    pub fn of(examples: &Examples, held_out: Option<&Examples>, score: Score<'_>) -> Sizes {
        let list = |examples: &Examples| -> Vec<[u32; 2]> {
            examples.examples.iter().map(|e| [e.ids.len() as u32, e.targets.len() as u32]).collect()
        };
        let labels = match score {
            Score::Labels(ids) => ids.len() as u32,
            Score::Readout(labels) => labels,
            Score::Vocabulary => 0,
        };
        Sizes {
            examples: list(examples),
            classes: examples.examples.iter().map(Example::label).collect(),
            held_out: held_out.map_or_else(Vec::new, list),
            written: held_out.map_or([0; 2], Examples::written),
            labels,
        }
    }

    /// The sizes of `count` examples of `length` tokens each, with the targets that a model with this head is trained on.
    pub fn even(head: HeadKind, count: u32, length: u32, labels: u32) -> Sizes {
        let targets = match head {
            HeadKind::MaskedLm => 1,
            HeadKind::CausalLm => length.saturating_sub(1).max(1),
        };
        Sizes { examples: vec![[length, targets]; count as usize], labels, ..Sizes::default() }
    }

    /// The same sizes, truncated to `length` tokens.
    pub(super) fn truncated(&self, length: u32) -> Sizes {
        let truncate = |list: &[[u32; 2]]| list.iter().map(|size| size.map(|n| n.min(length))).collect();
        let [written, prompt] = self.written;
        let written = [written, prompt.min(length)];
        Sizes {
            examples: truncate(&self.examples),
            classes: self.classes.clone(),
            held_out: truncate(&self.held_out),
            written,
            labels: self.labels,
        }
    }

    /// The order in which a run takes the examples.
    fn order(&self, settings: &Settings) -> Order {
        settings.order((0..self.examples.len()).map(|row| self.classes.get(row).copied().unwrap_or_default()))
    }

    pub(super) fn longest(&self) -> u32 {
        self.examples.iter().chain(&self.held_out).map(|[tokens, _]| *tokens).max().unwrap_or(0)
    }

    fn extent(&self, branches: u32, sizes: impl Iterator<Item = [u32; 2]>) -> Extent {
        let [tokens, targets] = sizes.fold([0; 2], |sum: [u32; 2], size| {
            [sum[0].saturating_add(size[0]), sum[1].saturating_add(size[1])]
        });
        Extent { branches, tokens, targets, labels: self.labels }
    }

    /// The largest pass of a step.
    fn step(&self, settings: &Settings) -> Extent {
        let mut most = Extent { branches: settings.estimator.branches(), ..Extent::least() };
        let mut order = self.order(settings);
        for step in 0..settings.steps.min(DRAWN.div_ceil(settings.batch_size.max(1))) {
            let batch = order.batch(step, settings.batch_size as usize);
            for chosen in batch.chunks(settings.at_once() as usize) {
                let sizes = chosen.iter().filter_map(|i| self.examples.get(*i).copied());
                most = most.union(self.extent(most.branches, sizes));
            }
        }
        most
    }

    /// An extent that is sufficient for every pass of a readout, however its rows are grouped.
    fn features(&self) -> Extent {
        let mut most = Extent::least();
        for list in [&self.examples, &self.held_out] {
            let (mut first, mut sum) = (0, 0);
            for (at, [tokens, _]) in list.iter().enumerate() {
                sum += *tokens as usize;
                while first < at && sum > TOKENS {
                    sum -= list[first][0] as usize;
                    first += 1;
                }
                most.tokens = most.tokens.max(sum as u32);
                most.targets = most.targets.max((at + 1 - first) as u32);
            }
        }
        most
    }

    /// The largest pass of an evaluation, if there are held-out examples.
    fn evaluation(&self) -> Option<Extent> {
        let mut most = None;
        let mut rest = &self.held_out[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest.iter().map(|[tokens, _]| *tokens as usize)));
            rest = later;
            let extent = self.extent(1, now.iter().copied());
            most = Some(most.map_or(extent, |before: Extent| before.union(extent)));
        }
        most
    }
}

impl Session {
    /// The memory that a run with these settings needs for examples of these sizes, with matrices stored in `dtype`.
    ///
    /// # Errors
    /// `limit-exceeded` if a buffer is larger than the device allows; the errors of [`Session::set_up`].
    pub async fn plan(&self, settings: &Settings, dtype: DType, sizes: &Sizes) -> Result<Plan> {
        self.plan_of(settings, (dtype, self.streams_layers()), sizes).await
    }

    /// Same as [`Session::plan`], with layers on the device or, with `streamed`, read from a file.
    pub(super) async fn plan_of(
        &self,
        settings: &Settings,
        (dtype, streamed): (DType, bool),
        sizes: &Sizes,
    ) -> Result<Plan> {
        let mut session = self.counted(dtype, streamed)?;
        let estimator = &settings.estimator;
        let setup = Setup {
            method: &settings.method,
            estimator,
            trainable: &settings.trainable,
            seed: settings.seed,
            initial: &[],
        };
        if let Some(pooling) = settings.pooling() {
            let extent = sizes.features();
            session.pooled_pass(extent, pooling).await?;
            if settings.method.is_readout() {
                return Ok(session.counted_plan(extent));
            }
            let labels = vec![String::new(); sizes.labels as usize];
            session.use_readout(Some(&Classifier::unfitted(&session, labels, pooling)))?;
        }
        if let Method::Lora { a: LoraA::Activations, .. } = settings.method {
            let tokens: Vec<u32> = sizes.examples.iter().map(|[tokens, _]| *tokens).collect();
            session.count_basis(settings, sizes.order(settings), &tokens).await?;
        }
        session.set_up(&setup).await?;
        match (sizes.evaluation(), settings.readout) {
            (Some(extent), Some(pooling)) => session.pooled_pass(extent, pooling).await?,
            (Some(extent), None) => session.pass(extent, None).await?,
            (None, _) => {}
        }
        let [tokens, prompt] = sizes.written;
        if tokens > 0 {
            let prompt = vec![0; prompt.max(1) as usize];
            session
                .model
                .generate(&prompt, tokens, Sampling::default())?
                .next(&session.model, [0; 2])
                .await?;
        }
        Updater::new(settings).enter(&mut session, 0).await?;
        let extent = sizes.step(settings);
        session.pass(extent, Some(settings)).await?;
        let (model, ws) = session.prepare(Extent::least())?;
        model.apply_update(ws, &update::apply(&[])).await?;
        // An evaluation after steps reads features back while the larger workspace is allocated.
        if let (Some(extent), Some(pooling)) = (sizes.evaluation(), settings.readout) {
            session.pooled_pass(extent, pooling).await?;
        }
        if let (Some(pooling), 1..) = (settings.readout, settings.refit_every) {
            session.pooled_pass(sizes.features(), pooling).await?;
        }
        Ok(session.counted_plan(extent))
    }

    /// The plan from the counts of a counting backend. `extent` is that of the largest pass.
    fn counted_plan(&self, extent: Extent) -> Plan {
        let memory = self.model.backend().memory();
        Plan {
            weights: memory.weights,
            adapter: memory.adapter,
            scratch: memory.scratch,
            activations: memory.activations,
            transfer: memory.transfer,
            peak: memory.peak,
            adam: adam(self.model.spec(), extent),
        }
    }

    /// Records a pass of this extent up to pooled hidden states. Its targets are its sequences.
    async fn pooled_pass(&mut self, extent: Extent, pooling: Pooling) -> Result<()> {
        let (model, ws) = self.prepare(Extent { labels: 0, ..extent })?;
        let batch = empty_batch(extent, model.max_length(), true);
        model.features(ws, &batch, pooling).await.map(drop)
    }

    /// Records a pass of this extent over tokens with id 0, for a step or for an evaluation.
    async fn pass(&mut self, extent: Extent, step: Option<&Settings>) -> Result<()> {
        let labels = vec![0; extent.labels as usize];
        let (model, ws) = self.prepare(extent)?;
        let batch = empty_batch(extent, model.max_length(), model.readout().is_some());
        let score = match model.readout() {
            Some(readout) => Score::Readout(readout.labels),
            None if labels.is_empty() => Score::Vocabulary,
            None => Score::Labels(&labels),
        };
        match step {
            None => drop(model.evaluate(ws, &batch, score).await?),
            Some(settings) => {
                let (estimator, predicted) = (&settings.estimator, settings.objective != Objective::Loss);
                let branches = estimator.branch_list(settings.seed, 0);
                let step = update::step(&[], &branches, settings.epsilon, estimator.distribution);
                model.branch_scores(ws, &batch, score, (&step, extent.branches), predicted).await?;
            }
        }
        Ok(())
    }
}

/// A batch of this extent whose tokens all have id 0: one sequence, or one sequence per target with `one_each`.
fn empty_batch(extent: Extent, max_length: u32, one_each: bool) -> Batch {
    let tokens = extent.tokens;
    let sequence = Batch::sequence(&vec![0; tokens as usize]);
    let cu_seqlens =
        if one_each { (0..extent.targets).chain([tokens]).collect() } else { sequence.cu_seqlens };
    let targets = vec![Target { position: 0, label: 0 }; extent.targets as usize];
    let positions = (0..tokens).map(|i| i % max_length).collect();
    Batch { positions, targets, cu_seqlens, ..Batch { ids: sequence.ids, ..Batch::default() } }
}

/// See [`Plan::adam`].
fn adam(spec: &ModelSpec, extent: Extent) -> u64 {
    let inner = u64::from(spec.intermediate);
    let token = |layer: &LayerSpec| {
        let wide = if matches!(layer.mlp, Mlp::Glu { .. }) { 3 * inner } else { 2 * inner };
        let mixed = match layer.mixer {
            Mixer::Attention(_) => spec.qkv_width() + spec.q_width(),
            Mixer::Convolution(_) => 4 * spec.hidden,
        };
        4 * u64::from(spec.hidden) + u64::from(mixed) + wide
    };
    let layers: u64 = spec.layers.iter().map(token).sum();
    let targets = u64::from(extent.targets) * u64::from(spec.vocabulary + spec.hidden);
    4 * (4 * spec.parameters() + u64::from(extent.tokens) * layers + targets)
}
