//! The GPU memory that a run will take, computed before any weight is read.
//!
//! The run's own allocations are made on a backend that only counts ([`crate::gpu::Dry`]): its weights, its adapter,
//! and the workspace of its largest passes, which are recorded there as well. So a plan equals what a device will
//! count.

use serde::Serialize;

use super::classifier::Classifier;
use super::encoder::Examples;
use super::evaluation::{TOKENS, fitting};
use super::method::{LoraA, Method, Setup, dtype_name};
use super::method_options::{MethodKind, MethodOptions};
use super::session::Session;
use super::settings::Objective;
use super::settings::Settings;
use super::updater::Updater;
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::model::{Extent, HeadKind, LayerSpec, Mixer, Mlp, ModelSpec, Pooling, Sampling, Score};
use crate::text::batch::Batch;
use crate::text::encode::Target;
use crate::zo::estimator::EstimatorKind;
use crate::zo::update;

/// Number of examples that are drawn to find the largest batch of a run. A later one is rarely larger.
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
    /// The same for each evaluation example.
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
        let written = held_out.map_or([0; 2], Examples::written);
        Sizes { examples: list(examples), held_out: held_out.map_or_else(Vec::new, list), written, labels }
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
    fn truncated(&self, length: u32) -> Sizes {
        let truncate = |list: &[[u32; 2]]| list.iter().map(|size| size.map(|n| n.min(length))).collect();
        let [written, prompt] = self.written;
        let written = [written, prompt.min(length)];
        Sizes {
            examples: truncate(&self.examples),
            held_out: truncate(&self.held_out),
            written,
            labels: self.labels,
        }
    }

    fn longest(&self) -> u32 {
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
        let mut order = settings.order(self.examples.len());
        for step in 0..settings.steps.min(DRAWN.div_ceil(settings.batch_size.max(1))) {
            let batch = order.batch(step, settings.batch_size as usize);
            for chosen in batch.chunks(settings.at_once() as usize) {
                let sizes = chosen.iter().filter_map(|i| self.examples.get(*i).copied());
                most = most.union(self.extent(most.branches, sizes));
            }
        }
        most
    }

    /// An extent that holds every pass of a readout, however its rows are grouped.
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
    /// The memory that a run with these settings takes on examples of these sizes, with matrices stored in `dtype`.
    ///
    /// # Errors
    /// `limit-exceeded` where a buffer is larger than the device allows; those of [`Session::set_up`].
    pub async fn plan(&self, settings: &Settings, dtype: DType, sizes: &Sizes) -> Result<Plan> {
        let mut session = self.counted(dtype)?;
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
            session.count_basis(settings, &tokens).await?;
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
        // An evaluation after steps reads features back beside the larger workspace.
        if let (Some(extent), Some(pooling)) = (sizes.evaluation(), settings.readout) {
            session.pooled_pass(extent, pooling).await?;
        }
        if let (Some(pooling), 1..) = (settings.readout, settings.refit_every) {
            session.pooled_pass(sizes.features(), pooling).await?;
        }
        Ok(session.counted_plan(extent))
    }

    /// The plan that a counting backend has arrived at. `extent` is that of the largest pass.
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

    /// Records a pass of this extent to pooled hidden states; its targets are its sequences.
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

    /// Returns the plan of a run, or refuses a run that needs more than `capacity` bytes.
    ///
    /// # Errors
    /// `out-of-memory` with the first change of settings that fits, each named as `name` says; those of [`Session::plan`].
    pub async fn check_plan(
        &self,
        settings: &Settings,
        sizes: &Sizes,
        capacity: Option<u64>,
        name: &dyn Fn(&str, &str) -> String,
    ) -> Result<Plan> {
        let plan = self.plan(settings, self.dtype(), sizes).await?;
        let Some(capacity) = capacity.filter(|capacity| plan.peak > *capacity) else { return Ok(plan) };
        let advice = match self.fitting_change(settings, sizes, capacity).await? {
            Some((change, peak)) => {
                let change: Vec<String> = change.iter().map(|(what, value)| name(what, value)).collect();
                format!("{} would take {}", change.join(" "), megabytes(peak))
            }
            None => "no setting makes it fit: take a smaller model".to_owned(),
        };
        bail!(
            OutOfMemory,
            "the run would take {} of GPU memory ({} of them weights), there are {}; {advice}",
            megabytes(plan.peak),
            megabytes(plan.weights),
            megabytes(capacity)
        );
    }

    /// The first change that fits, from what costs nothing to what costs most: fewer examples at a time, weights in f16, an adapter over
    /// smaller weights, shorter examples. With what it would take.
    async fn fitting_change(
        &self,
        settings: &Settings,
        sizes: &Sizes,
        capacity: u64,
    ) -> Result<Option<(Change, u64)>> {
        let mut weights = vec![(self.dtype(), settings.method.clone())];
        let lora = MethodOptions { method: Some(MethodKind::Lora), ..MethodOptions::default() };
        let adapter = if settings.method == Method::Full { lora.method() } else { settings.method.clone() };
        if self.dtype() == DType::F32 {
            weights.push((DType::F16, settings.method.clone()));
        }
        // Low-rank directions are full-parameter training and go over blocks; tensors chosen by name have no adapter.
        if settings.trainable.is_empty() {
            let low_rank = settings.estimator.kind == EstimatorKind::LowRank;
            let method = if low_rank { &settings.method } else { &adapter };
            let smaller = [DType::F16, DType::Q8_0, DType::Q4_0].into_iter();
            let smaller = smaller.filter(|dtype| bits(*dtype) < bits(self.dtype()));
            weights.extend(smaller.map(|dtype| (dtype, method.clone())));
        }
        let longest = sizes.longest();
        let shorter = (3..=9).rev().map(|n| 1 << n).filter(|length| *length < longest);
        let lengths = std::iter::once(None).chain(shorter.map(Some));
        for length in lengths {
            let truncated = length.map_or_else(|| sizes.clone(), |length| sizes.truncated(length));
            for (dtype, method) in &weights {
                // Repeated halves of the number of examples in a pass, the smallest first: if that does not fit, none does.
                let halves =
                    std::iter::successors(Some(settings.at_once()), |n| (*n > 1).then(|| n.div_ceil(2)));
                let mut most = None;
                for micro_batch in halves.collect::<Vec<_>>().into_iter().rev() {
                    let wanted = Settings { micro_batch, method: method.clone(), ..settings.clone() };
                    match self.plan(&wanted, *dtype, &truncated).await {
                        Ok(plan) if plan.peak <= capacity => most = Some((micro_batch, plan.peak)),
                        // Settings that the model cannot be trained with are no advice.
                        _ => break,
                    }
                }
                let Some((micro_batch, peak)) = most else { continue };
                let mut change = Change::new();
                if micro_batch != settings.at_once() {
                    change.push(("micro-batch", micro_batch.to_string()));
                }
                if *method != settings.method {
                    change.push(("method", method.name().to_owned()));
                }
                if *dtype != self.dtype() {
                    change.push(("dtype", dtype_name(*dtype).to_owned()));
                }
                change.extend(length.map(|length| ("max-length", length.to_string())));
                return Ok(Some((change, peak)));
            }
        }
        Ok(None)
    }
}

/// A batch of this extent whose tokens have id 0: one sequence, or one for each target.
fn empty_batch(extent: Extent, max_length: u32, one_each: bool) -> Batch {
    let tokens = extent.tokens;
    let sequence = Batch::sequence(&vec![0; tokens as usize]);
    let cu_seqlens =
        if one_each { (0..extent.targets).chain([tokens]).collect() } else { sequence.cu_seqlens };
    let targets = vec![Target { position: 0, label: 0 }; extent.targets as usize];
    let positions = (0..tokens).map(|i| i % max_length).collect();
    Batch { positions, targets, cu_seqlens, ..Batch { ids: sequence.ids, ..Batch::default() } }
}

/// Settings by the names of their flags, with their values.
type Change = Vec<(&'static str, String)>;

/// The approximate number of bits per element.
fn bits(dtype: DType) -> usize {
    dtype.block_bytes() * 8 / dtype.block_len()
}

/// A number of bytes for people to read.
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
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
