//! Method readout: a classifier is fitted to the pooled hidden states of the training rows, which takes one pass over them. With a
//! template and label words, the language model's head is fitted instead, on its own inputs ([`super::words`]).
//!
//! The rows are taken in an order drawn from the seed, with one row of each label first. The classifier is fitted after the first
//! few rows, again whenever the number of rows has doubled, and finally on all rows.

use super::classifier::Classifier;
use super::encoder::{ExampleEncoder, Examples};
use super::evaluation::{EvaluationReport, report};
use super::features::Cache;
use super::fits::{ReadoutProgress, fit_linear};
use super::header::{Header, hex};
use super::method::{Method, dtype_name};
use super::replay::check_model;
use super::resume::keep_tiles;
use super::session::Session;
use super::settings::Settings;
use super::trajectory::Trajectory;
use super::words::WordReadout;
use crate::clock::Instant;
use crate::error::{Result, bail};
use crate::fit::{Labels, Strength, WordHead, plain};
use crate::model::Evaluation;
use crate::text::encode::Example;
use crate::text::figures::Answer;
use crate::text::rows::{Classified, Dataset, Rows};

/// Rows of the first fit, unless there are more labels.
const FIRST_FIT: usize = 16;

/// Maximum number of held-out rows that are evaluated after the first fit. Later fits are evaluated on as many held-out rows as
/// they have training rows, and the last fit on all of them.
const FIRST_HELD_OUT: usize = 64;

/// A fit on label words ends when no entry of the gradient of the mean loss is larger than this.
const TOLERANCE: f64 = 1e-4;

/// The result of a fit.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadoutReport {
    /// Number of training rows that the classifier was fitted on.
    pub rows: usize,
    /// The mean log-loss on these rows, in nats.
    pub loss: f64,
    /// The strength of the L2 penalty, which was chosen by cross-validation on these rows.
    pub strength: f64,
    /// The evaluation on held-out rows, if there are any: on some of them until the last fit, then on all.
    pub held_out: Option<EvaluationReport>,
    /// Milliseconds since the first pass began.
    pub ms: f64,
}

/// A run of method readout.
pub struct ReadoutTrainer {
    pub(super) encoder: ExampleEncoder,
    pub(super) labels: Labels,
    /// For label words: the pretrained head, once the weights are loaded.
    pretrained: Option<WordHead>,
    /// The index in the data of each training row, in the order they are taken.
    pub(super) order: Vec<usize>,
    pub(super) train: Cache,
    held_out: Option<Cache>,
    pub(super) header: Header,
    start: Option<Instant>,
}

impl ReadoutTrainer {
    /// Creates a run before its first fit, for a session whose weights may be loaded later. The labels are those of the training
    /// rows, sorted by their bytes.
    ///
    /// # Errors
    /// `invalid-argument` for settings of another method; `data-invalid` for rows without labels, for labels that no classifier can
    /// be fitted to, and for a row without text.
    pub fn new(
        session: &Session,
        settings: Settings,
        data: &Dataset,
        held_out: Option<&Dataset>,
    ) -> Result<ReadoutTrainer> {
        let rows = classified(data)?;
        let labels = Labels::at(&rows.iter().map(|row| &row.label).collect::<Vec<_>>(), |i| rows[i].row);
        let labels = labels.map_err(|e| e.at(&data.name))?;
        let Method::Readout { pooling } = settings.method else {
            bail!(InvalidArgument, "expected method readout, found {}", settings.method.name());
        };
        let classifier = Classifier::unfitted(session, labels.names().to_vec(), pooling);
        ReadoutTrainer::of(session, settings, classifier, labels, data, held_out)
    }

    /// Creates a run on label words before its first fit. It fits the model's head to the words in a template.
    ///
    /// # Errors
    /// The errors of [`ReadoutTrainer::new`]; also `data-invalid` for a template or label word that the model cannot use, or if a
    /// label has no row; `model-unsupported` for a model whose head has another form.
    pub fn on_words(
        session: &Session,
        settings: Settings,
        (template, words): (&str, &[String]),
        data: &Dataset,
        held_out: Option<&Dataset>,
    ) -> Result<ReadoutTrainer> {
        let rows = classified(data)?;
        let words = WordReadout::unfitted(session, template, words)?;
        let name = |row: &Classified| {
            if row.text.trim().is_empty() {
                bail!(
                    DataInvalid,
                    "row {}: field `text`: expected a non-empty text, found an empty one",
                    row.row
                );
            }
            let index = words.labels.index_of(&row.label).map_err(|e| e.at(format!("row {}", row.row)))?;
            Ok(&words.labels.names[index as usize])
        };
        let of_rows = rows.iter().map(name).collect::<Result<Vec<_>>>().map_err(|e| e.at(&data.name))?;
        let names: Vec<&String> = words.labels.names.iter().collect();
        let labels = Labels::named(&names, &of_rows).map_err(|e| e.at(&data.name))?;
        let settings = settings.on_words(session.model.spec());
        let given = words.given();
        let classifier = Classifier::of_words(session, words);
        let mut trainer = ReadoutTrainer::of(session, settings, classifier, labels, data, held_out)?;
        let header = &mut trainer.header;
        (header.template, header.labels) = (Some(template.to_owned()), given);
        header.task = data.task.map(str::to_owned);
        Ok(trainer)
    }

    /// A run with a classifier that has not been fitted yet.
    fn of(
        session: &Session,
        settings: Settings,
        classifier: Classifier,
        labels: Labels,
        data: &Dataset,
        held_out: Option<&Dataset>,
    ) -> Result<ReadoutTrainer> {
        let (order, pooling) = (order(&settings, &labels), classifier.pooling);
        let encoder = ExampleEncoder::Readout(classifier);
        let settings = Settings { max_length: settings.length_for(session.model.spec())?, ..settings };
        let train = encoder.encode(session, data, settings.max_length)?;
        let held_out = held_out.map(|data| encoder.encode(session, data, settings.max_length)).transpose()?;
        let spec = session.model.spec();
        let header = Header {
            family: spec.family.to_owned(),
            parameters: spec.parameters(),
            fingerprint: String::new(),
            dtype: dtype_name(session.dtype()).to_owned(),
            data: hex(train.fingerprint),
            task: None,
            template: None,
            labels: encoder.label_words().to_vec(),
            tiles: String::new(),
            fitted_rows: 0,
            initial_halves: 0,
            kept_of: 0,
            refit_values: 0,
            initial_values: 0,
            initial: Vec::new(),
            settings,
        };
        // The first held-out rows represent all of them until the last fit.
        let held_out = held_out.map(|examples| {
            let mut order = header.settings.order(examples.examples.iter().map(Example::label));
            let order = order.batch(0, examples.examples.len());
            Cache::new(examples, &order, pooling)
        });
        let train = Cache::new(train, &order, pooling);
        let texts = classified(data)?.iter().map(|row| (plain(&row.text), row.text_b.as_deref().map(plain)));
        let (labels, pretrained, start) = (labels.with_texts(texts).select(&order), None, None);
        Ok(ReadoutTrainer { encoder, labels, pretrained, order, train, held_out, header, start })
    }

    /// Continues a run that was interrupted. A complete run keeps its classifier; an incomplete one starts again, because its
    /// features are not stored.
    ///
    /// # Errors
    /// `trajectory-mismatch` naming the setting that differs.
    pub fn resume(&mut self, session: &mut Session, trajectory: &Trajectory) -> Result<()> {
        check_model(session, trajectory)?;
        self.meet(session);
        let stored = &trajectory.header;
        let Header { fitted_rows, initial_values, tiles, .. } = stored.clone();
        stored.check_same_run(&Header { fitted_rows, initial_values, tiles, ..self.header.clone() })?;
        keep_tiles(session, stored)?;
        if fitted_rows as usize == self.train.len()
            && let Some(classifier) = Classifier::of(stored, session)?
        {
            self.encoder = ExampleEncoder::Readout(classifier);
            self.header = stored.clone();
        }
        Ok(())
    }

    /// The training examples and the held-out ones, in the order in which they are taken.
    pub fn examples(&self) -> (&Examples, Option<&Examples>) {
        (&self.train.examples, self.held_out.as_ref().map(|cache| &cache.examples))
    }

    /// Number of training rows.
    pub fn rows(&self) -> usize {
        self.train.len()
    }

    /// Fills in the header fields that are known only once the weights are loaded.
    fn meet(&mut self, session: &Session) {
        self.header.fingerprint = hex(session.model.weights().fingerprint());
        self.header.tiles = session.model.tiles().to_string();
    }

    /// The numbers of rows after which the classifier is fitted.
    pub fn fits(&self) -> Vec<usize> {
        let rows = self.train.len();
        let first = FIRST_FIT.max(self.labels.names().len());
        let doubled = std::iter::successors(Some(first), |rows| rows.checked_mul(2));
        doubled.take_while(|fit| *fit < rows).chain([rows]).collect()
    }

    /// The header of the trajectory, which contains the classifier of the last fit.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The encoder with the classifier from the last fit.
    pub fn encoder(&self) -> &ExampleEncoder {
        &self.encoder
    }

    /// Computes features up to the next fit, and fits. Returns `None` after the fit on all rows. `progress` may stop the run by
    /// returning an error.
    ///
    /// # Errors
    /// `non-finite-loss` if a feature is infinite or NaN; errors from the backend; errors from `progress`.
    pub async fn next(
        &mut self,
        session: &mut Session,
        progress: &mut dyn FnMut(ReadoutProgress) -> Result<()>,
    ) -> Result<Option<ReadoutReport>> {
        let fitted = self.header.fitted_rows as usize;
        let Some(rows) = self.fits().into_iter().find(|rows| *rows > fitted) else { return Ok(None) };
        self.meet(session);
        let start = *self.start.get_or_insert_with(Instant::now);
        self.train.grow(session, rows, &mut |rows| progress(ReadoutProgress::Rows(rows))).await?;
        let labels = self.labels.select(&(0..rows).collect::<Vec<_>>());
        let (loss, strength) = self.fit(session, &labels, progress).await?;
        let header = &mut self.header;
        if let Some(classifier) = self.encoder.classifier() {
            header.initial = classifier.values();
        }
        (header.fitted_rows, header.initial_values) = (rows as u32, header.initial.len() as u64);
        let most = if rows == self.train.len() { usize::MAX } else { rows.max(FIRST_HELD_OUT) };
        let held_out = self.evaluate(session, most, progress).await?;
        Ok(Some(ReadoutReport { rows, loss, strength, held_out, ms: start.elapsed_ms() }))
    }

    /// Fits to the features known so far. Returns the loss on them and the strength of the penalty.
    async fn fit(
        &mut self,
        session: &Session,
        labels: &Labels,
        progress: &mut dyn FnMut(ReadoutProgress) -> Result<()>,
    ) -> Result<(f64, f64)> {
        let (features, spec) = (&self.train.features, session.model.spec());
        let ExampleEncoder::Readout(classifier) = &mut self.encoder else {
            bail!(InvalidArgument, "the run has no classifier to fit");
        };
        let Some(words) = &mut classifier.words else {
            let fit = fit_linear(spec, self.train.pooling, features, labels, progress)?;
            classifier.linear = fit.rounded()?;
            return Ok((fit.loss, fit.strength));
        };
        let pretrained = match &mut self.pretrained {
            Some(pretrained) => pretrained,
            None => self.pretrained.insert(words.pretrained(session, self.header.settings.seed).await?),
        };
        let fit = pretrained.fit(features, labels, Strength::Chosen, TOLERANCE)?;
        let values: Vec<f32> = fit.head.values().into_iter().map(|value| value as f32).collect();
        **words = words.as_ref().clone().with_values(&values)?;
        Ok((fit.loss, fit.strength))
    }

    /// Evaluates the last fit on at most `most` held-out rows. Their features are computed only once.
    ///
    /// # Errors
    /// Errors from the backend and from `progress`.
    pub async fn evaluate(
        &mut self,
        session: &mut Session,
        most: usize,
        progress: &mut dyn FnMut(ReadoutProgress) -> Result<()>,
    ) -> Result<Option<EvaluationReport>> {
        let (Some(held_out), ExampleEncoder::Readout(classifier)) = (&mut self.held_out, &self.encoder)
        else {
            return Ok(None);
        };
        let done = self.train.done;
        held_out
            .grow(session, most.min(held_out.len()), &mut |_| progress(ReadoutProgress::Rows(done)))
            .await?;
        let examples = &held_out.examples.examples[..held_out.done];
        let targets: Vec<_> = examples.iter().flat_map(|example| example.targets.iter().copied()).collect();
        let Evaluation { losses, predictions, .. } = classifier.evaluate(&held_out.features, &targets)?;
        let loss = losses.iter().map(|loss| f64::from(*loss)).sum();
        let answers = targets.iter().zip(&predictions);
        let answers =
            answers.map(|(target, answered)| Answer { expected: target.label, answered: *answered });
        report(&self.encoder, targets.len(), loss, answers.collect()).check().map(Some)
    }
}

/// The rows of a data set of texts with labels.
fn classified(data: &Dataset) -> Result<&[Classified]> {
    match &data.rows {
        Rows::Classified(rows) => Ok(rows),
        _ => bail!(DataInvalid, "{}: method readout needs the fields text and label", data.name),
    }
}

/// The order in which the rows are taken: shuffled, with the first row of each label moved to the front.
pub(super) fn order(settings: &Settings, labels: &Labels) -> Vec<usize> {
    let rows = labels.of_rows().len();
    let shuffled = settings.order(labels.of_rows().iter().map(|&label| label as u32)).batch(0, rows);
    let mut seen = vec![false; labels.names().len()];
    let (mut order, others): (Vec<usize>, Vec<usize>) =
        shuffled.into_iter().partition(|row| !std::mem::replace(&mut seen[labels.of_rows()[*row]], true));
    order.extend(others);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rows_have_every_label() {
        // No row but the last has its label.
        let rows: Vec<String> =
            (0..500).map(|row| if row == 499 { "rare" } else { "common" }.to_owned()).collect();
        let labels = Labels::of(&rows).unwrap();
        let settings = |seed| Settings { seed, ..Settings::default() };
        let taken = order(&settings(1), &labels);
        assert!(taken[..2].contains(&499), "{:?}", &taken[..2]);
        let mut sorted = taken.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..500), "every row once");
        assert_eq!(taken, order(&settings(1), &labels));
        assert_ne!(taken, order(&settings(2), &labels));
    }
}
