//! Method readout in a tab: its fits are the steps of a training run, and the fitted readout answers afterwards.

use js_sys::Function;
use wasm_bindgen::JsValue;

use super::fine_tuner::{State, Tuner};
use super::options::{self, Progress, Prompting};
use super::plan;
use super::report::{Evaluated, Start, Step};
use crate::clock::Instant;
use crate::error::{Result, bail, err};
use crate::train::{Classifier, ExampleEncoder, Options, ReadoutProgress, ReadoutTrainer, Sizes, Trajectory};

/// The minimum time between two reports of a fit. A trial fit may take less than a millisecond.
const REPORT_MS: f64 = 100.0;

/// Reports the progress of a readout of `rows` rows to a listener.
fn teller(rows: u64, listener: Option<Function>) -> impl FnMut(ReadoutProgress) {
    let mut last: Option<Instant> = None;
    move |now| {
        let Some(listener) = &listener else { return };
        let (stage, loaded, total) = match now {
            ReadoutProgress::Rows(known) => ("readout", known as u64, rows),
            ReadoutProgress::Fits { done, all } => ("fit", done as u64, all as u64),
        };
        if stage == "fit" && last.is_some_and(|last| last.elapsed_ms() < REPORT_MS) {
            return;
        }
        last = Some(Instant::now());
        Progress { stage, file: "", loaded, total }.tell(listener);
    }
}

impl Tuner {
    /// Starts a run of method readout, on label words if there is a template. A run takes seconds, so a restored one also starts again.
    pub(super) async fn start_readout(&mut self, config: &JsValue, given: &Options) -> Result<Start> {
        let prompting = Prompting::of(config, Prompting::default())?;
        let settings = given.resolve(self.session.model.spec(), None)?;
        let read =
            |name: &str, file: &str| prompting.data(&self.session, config, name, options::text(config, file));
        let data = read("data", "dataName")?.ok_or_else(|| err!(InvalidArgument, "data are missing"))?;
        let held_out = read("eval", "evalName")?;
        let (data, held_out) = options::drawn(config, data, held_out)?;
        let folded = options::field(config, "crossValidate").is_some_and(|wanted| wanted.is_truthy());
        if folded && held_out.is_some() {
            bail!(
                InvalidArgument,
                "crossValidate is for data without held-out rows: give only one of the two"
            );
        }
        let held_out = held_out.as_ref();
        let trainer = match prompting.words(&self.session)? {
            Some((template, words)) => {
                given.check_words()?;
                ReadoutTrainer::on_words(&self.session, settings, (&template, &words), &data, held_out)?
            }
            None => ReadoutTrainer::new(&self.session, settings, &data, held_out)?,
        };
        let settings = trainer.header().settings.clone();
        if self.max_gpu_bytes.is_some() {
            let (examples, held_out) = trainer.examples();
            let sizes = Sizes::of(examples, held_out, trainer.encoder().score());
            plan::check(&self.session, &settings, &sizes, self.max_gpu_bytes).await?;
        }
        self.reset().await?;
        let fits = trainer.fits();
        let start = Start {
            first_step: 1,
            steps: fits.len() as u32,
            examples: trainer.rows(),
            learning_rate: 0.0,
            trials: Vec::new(),
            notes: Vec::new(),
        };
        self.prompting = prompting;
        self.max_length = trainer.header().settings.max_length;
        self.diagnosis = None;
        self.cross_validated = folded.then_some(data.rows);
        self.state = State::Readout(Box::new(trainer));
        Ok(start)
    }

    /// Fits a readout on the base weights, from which the steps of another method then start.
    pub(super) async fn fit_first(
        &mut self,
        mut fitter: ReadoutTrainer,
        on_progress: &Function,
        cancel: &JsValue,
    ) -> Result<ExampleEncoder> {
        let total = fitter.rows() as u64;
        let mut tell = teller(total, Some(on_progress.clone()));
        let mut progress = |now| {
            tell(now);
            options::check_cancel(cancel)
        };
        while fitter.next(&mut self.session, &mut progress).await?.is_some() {}
        Ok(fitter.encoder().clone())
    }

    /// The readout of the restored run, with which its steps continue.
    pub(super) fn readout_of_run(&self) -> Result<Option<ExampleEncoder>> {
        match &self.state {
            State::Restored(trajectory) if !trajectory.header.settings.method.is_readout() => {
                let classifier = Classifier::of(&trajectory.latest_header(), &self.session)?;
                Ok(classifier.map(ExampleEncoder::Readout))
            }
            _ => Ok(None),
        }
    }

    /// Runs the next fit, reported as a step; `None` after the last one.
    pub(super) async fn next_fit(&mut self, on_progress: Option<Function>) -> Result<Option<Step>> {
        let State::Readout(trainer) = &mut self.state else {
            bail!(InvalidArgument, "no readout has been started");
        };
        let mut tell = teller(trainer.rows() as u64, on_progress);
        let mut progress = |now| {
            tell(now);
            Ok(())
        };
        let Some(report) = trainer.next(&mut self.session, &mut progress).await? else { return Ok(None) };
        let mut evaluation: Option<Evaluated> = report.held_out.map(Into::into);
        if let Some(rows) = &self.cross_validated
            && let Some((report, places)) = trainer.cross_validate(&self.session, &mut progress)?
        {
            let wrong = report.labels.as_ref().map(|labels| labels.wrong(&rows.select(&places)));
            evaluation = Some(Evaluated { wrong, ..report.into() });
        }
        let fits = trainer.fits();
        let step = fits.iter().filter(|rows| **rows <= report.rows).count() as u32;
        let loss = report.loss as f32;
        Ok(Some(Step {
            step,
            steps: fits.len() as u32,
            loss_plus: loss,
            loss_minus: loss,
            projected_grad: 0.0,
            loss,
            learning_rate: 0.0,
            ms: report.ms,
            tokens: 0,
            rows: Some(report.rows),
            gpu_bytes: self.session.model.backend().memory().total(),
            evaluation,
            kept: None,
            warning: None,
        }))
    }

    /// The classifier of the readout that was fitted or restored, if any.
    pub(super) fn readout(&self) -> Result<Option<ExampleEncoder>> {
        let classifier = |trajectory: &Trajectory| Classifier::of(&trajectory.latest_header(), &self.session);
        Ok(match &self.state {
            State::Readout(trainer) if trainer.header().fitted_rows == 0 => {
                bail!(InvalidArgument, "the readout has not been fitted yet")
            }
            State::Readout(trainer) => Some(trainer.encoder().clone()),
            State::Restored(trajectory) | State::Torn(trajectory) => {
                classifier(trajectory)?.map(ExampleEncoder::Readout)
            }
            State::Training(trainer) => Some(trainer.encoder().clone())
                .filter(|encoder| matches!(encoder, ExampleEncoder::Readout(_))),
            State::Base | State::Adapted(_) | State::Unknown => None,
        })
    }

    /// How a call turns rows into examples: by its own prompt if it has one, otherwise by the readout, otherwise by the prompt of
    /// the last training run.
    pub(super) fn encoder(&self, config: &JsValue) -> Result<(ExampleEncoder, Prompting)> {
        let prompting = Prompting::of(config, self.prompting.clone())?;
        // The call may repeat the training prompt; if the readout is on label words, that is the readout's own prompt.
        let own = !prompting.is_same(&self.prompting);
        // A call with another prompt does not need the readout, which may not be fitted yet.
        let readout = if own { None } else { self.readout()? };
        let encoder = match readout {
            Some(readout) => readout,
            None => prompting.encoder(&self.session)?,
        };
        Ok((encoder, prompting))
    }
}
