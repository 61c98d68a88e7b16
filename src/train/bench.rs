//! Times a forward pass and a whole step of a loaded model on random tokens. Every result is checked before its time is reported.

use super::evaluation::extent;
use super::method::Setup;
use super::session::Session;
use super::settings::Settings;
use super::trial::random_examples;
use crate::clock::Instant;
use crate::error::{Result, bail, err};
use crate::model::{Extent, ModelSpec, Score, TensorKind};
use crate::text::batch::Batch;
use crate::text::encode::Target;
use crate::zo::record::Record;
use crate::zo::update::{self, Update};

/// Maximum relative difference between the mean of a step's losses and the loss of the plain pass.
const TOLERANCE: f32 = 0.05;

/// A session that is set up to train on one batch, whose passes are timed one by one.
pub struct Bench {
    session: Session,
    settings: Settings,
    batch: Batch,
    /// Number of completed steps.
    steps: u32,
    pending: Vec<Update>,
    /// The loss of the last plain pass.
    loss: Option<f32>,
}

impl Bench {
    /// Sets up a loaded session to train as `settings` specify, on a batch of sequences of `length` random tokens.
    ///
    /// # Errors
    /// The errors of [`Session::set_up`].
    pub async fn new(mut session: Session, settings: Settings, length: u32) -> Result<Bench> {
        let Settings { method, estimator, trainable, seed, .. } = &settings;
        session.set_up(&Setup { method, estimator, trainable, seed: *seed, initial: &[] }).await?;
        let examples = random_examples(session.model.spec(), settings.batch_size, length);
        let batch = Batch::pack(&examples.iter().collect::<Vec<_>>());
        Ok(Bench { session, settings, batch, steps: 0, pending: Vec::new(), loss: None })
    }

    /// The loaded model.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The batch: the tokens, their sequences packed end to end, and the positions that are scored.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Floating-point operations of a plain pass: the linear layers and the head, without the attention products.
    pub fn flops(&self) -> f64 {
        forward_flops(self.session.model.spec(), self.batch.ids.len(), self.batch.targets.len())
    }

    /// Logits at the targets, `[target, vocabulary]`, for comparison with another program.
    ///
    /// # Errors
    /// Errors from the backend.
    pub async fn logits(&mut self) -> Result<Vec<f32>> {
        let tokens = self.batch.ids.len() as u32;
        let extent = Extent { branches: 1, tokens, targets: tokens, labels: 0 };
        let (model, ws) = self.session.prepare(extent)?;
        let logits = model.logits(ws, &self.batch).await?;
        let width = model.spec().vocabulary as usize;
        let row = |target: &Target| &logits[target.position as usize * width..][..width];
        Ok(self.batch.targets.iter().flat_map(row).copied().collect())
    }

    /// Runs a plain pass with the current weights up to the loss, and returns its time in milliseconds.
    ///
    /// # Errors
    /// `non-finite-loss`; errors from the backend.
    pub async fn forward(&mut self) -> Result<f64> {
        let branches = self.settings.estimator.branches();
        let (model, ws) = self.session.prepare(extent(&self.batch, branches, Score::Vocabulary))?;
        let start = Instant::now();
        let plain = model.evaluate(ws, &self.batch, Score::Vocabulary).await?;
        let ms = start.elapsed_ms();
        let loss = plain.losses.iter().sum::<f32>() / plain.losses.len() as f32;
        if !loss.is_finite() {
            bail!(NonFiniteLoss, "the forward pass's loss is {loss}");
        }
        self.loss = Some(loss);
        Ok(ms)
    }

    /// Runs a whole step and returns its time in milliseconds. The pass computes the branches' losses and applies the previous
    /// step's update on the way. A plain pass must have run before, since the mean of the losses is checked against its loss.
    ///
    /// # Errors
    /// `non-finite-loss`, also if the losses do not match the plain pass; errors from the backend.
    pub async fn step(&mut self) -> Result<f64> {
        let Settings { estimator, seed, epsilon, .. } = &self.settings;
        let list = estimator.branch_list(*seed, self.steps);
        let step = update::step(&self.pending, &list, *epsilon, estimator.distribution);
        let (batch, branches) = (&self.batch, estimator.branches());
        let (model, ws) = self.session.prepare(extent(batch, branches, Score::Vocabulary))?;
        let start = Instant::now();
        let scores = model.branch_scores(ws, batch, Score::Vocabulary, (&step, branches), false).await?;
        let ms = start.elapsed_ms();
        let loss = self.loss.ok_or_else(|| err!(InvalidArgument, "a step is timed after a forward pass"))?;
        let middle = scores.means.iter().sum::<f32>() / scores.means.len() as f32;
        if (middle - loss).abs() <= TOLERANCE * loss {
            self.pending = estimator.updates(*seed, &self.records());
            self.steps += 1;
            return Ok(ms);
        }
        bail!(
            NonFiniteLoss,
            "the step's losses {:?} are not close to the forward pass's {loss}",
            scores.means
        )
    }

    /// Records of the completed step. Their update is so small that the weights stay practically the same, so that the next step's
    /// check holds.
    fn records(&self) -> Vec<Record> {
        let record = |probe| Record {
            step: self.steps,
            probe,
            projected_grad: 1.0,
            learning_rate: 1e-12,
            decay: 1.0,
            loss_plus: 0.0,
            loss_minus: 0.0,
        };
        (0..self.settings.estimator.probes).map(record).collect()
    }
}

/// The floating-point operations of the matmuls with weights: every token passes through the layers, and a target also through the
/// head's table. A multiply-add counts as two operations.
pub(super) fn forward_flops(spec: &ModelSpec, tokens: usize, targets: usize) -> f64 {
    let tensors = spec.tensors.as_slice();
    let layers: f64 = tensors
        .iter()
        .enumerate()
        .filter(|(id, tensor)| tensor.kind == TensorKind::Matrix && !spec.looks_up(*id))
        .map(|(_, tensor)| tensor.elements() as f64)
        .sum();
    2.0 * (layers * tokens as f64
        + spec.head.as_ref().map_or(0, |head| tensors[head.table].elements()) as f64 * targets as f64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::format::config::Config;
    use crate::model::family;

    #[test]
    fn tables_that_rows_are_looked_up_in_are_not_multiplied_by() {
        let config =
            br#"{"model_type":"gpt2","n_embd":8,"n_head":2,"n_layer":1,"n_positions":16,"vocab_size":50}"#;
        let spec = family::spec(&Config::parse("config.json", config).unwrap()).unwrap();
        // Queries, keys and values, the attention's output layer, and the two layers of the MLP.
        let layer = 8 * 24 + 8 * 8 + 8 * 32 + 32 * 8;
        assert_eq!(forward_flops(&spec, 10, 3), f64::from(2 * (layer * 10 + 50 * 8 * 3)));
    }
}
