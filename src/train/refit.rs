//! A readout that is refitted during a run: the steps change the hidden states, and the classifier follows them.

use super::encoder::ExampleEncoder;
use super::features::Cache;
use super::fits::fit_linear;
use super::readout::order;
use super::session::Session;
use super::trainer::Trainer;
use crate::error::{Result, bail};
use crate::fit::Labels;

impl Trainer {
    /// Fits the readout again if [`super::Settings::refit_every`] steps have been taken since the last fit. It uses the features of
    /// all training rows under the current weights. The next steps lower the loss of the new readout, which is added to the
    /// trajectory.
    ///
    /// # Errors
    /// `non-finite-loss` if a feature is infinite or NaN; errors from the backend.
    pub(super) async fn refit_if_due(&mut self, session: &mut Session) -> Result<()> {
        if !self.trajectory.refit_due() {
            return Ok(());
        }
        self.settle(session).await?;
        let ExampleEncoder::Readout(classifier) = &mut self.encoder else {
            bail!(InvalidArgument, "the run has no readout to fit again");
        };
        let targets = self.examples.examples.iter().flat_map(|example| &example.targets);
        let of_rows = targets.map(|target| target.label as usize).collect();
        let texts = self.examples.examples.iter().map(|example| &example.ids);
        let labels = Labels::numbered(classifier.labels.clone(), of_rows)?.with_texts(texts);
        let order = order(&self.settings, &labels);
        let mut cache = Cache::new(self.examples.clone(), &order, classifier.pooling);
        let rows = cache.len();
        cache.grow(session, rows, &mut |_| Ok(())).await?;
        let spec = session.model.spec();
        let labels = labels.select(&order);
        let fit = fit_linear(spec, classifier.pooling, &cache.features, &labels, &mut |_| Ok(()))?;
        classifier.linear = fit.rounded()?;
        self.trajectory.refits.push(classifier.linear.values());
        // The old classifier is removed from the device first, so that the two are never there at the same time.
        session.use_readout(None)?;
        session.use_readout(Some(classifier))
    }
}
