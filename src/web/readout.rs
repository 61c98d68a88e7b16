//! Method readout in a tab: its fits are the steps of a training, and what it fitted answers afterwards.

use wasm_bindgen::JsValue;

use super::fine_tuner::{State, Tuner};
use super::options::{self, Prompting};
use super::plan;
use super::report::{Start, Step};
use crate::error::{Result, bail, err};
use crate::train::{Classifier, Draw, ExampleEncoder, Options, ReadoutTrainer, Trajectory, draw};

impl Tuner {
    /// Begins a run of method readout. It takes seconds, so a restored one begins again too.
    pub(super) async fn start_readout(&mut self, config: &JsValue, given: &Options) -> Result<Start> {
        if ["task", "template", "labels"].iter().any(|name| options::field(config, name).is_some()) {
            bail!(
                InvalidArgument,
                "task, template, labels: expected none of them for method readout, which takes texts and labels as they stand in the data"
            );
        }
        let settings = given.resolve(self.session.model.spec(), None)?;
        let prompting = Prompting::default();
        let read =
            |name: &str, file: &str| prompting.data(&self.session, config, name, options::text(config, file));
        let data = read("data", "dataName")?.ok_or_else(|| err!(InvalidArgument, "data are missing"))?;
        let held_out = read("eval", "evalName")?;
        let (data, rest) = draw(data, options::parse::<Draw>(config.clone(), "training options")?)?;
        let held_out = held_out.or(rest);
        let trainer = ReadoutTrainer::new(&self.session, settings.clone(), &data, held_out.as_ref())?;
        if self.max_gpu_bytes.is_some() {
            plan::check(&self.session, &settings, &trainer.sizes(), self.max_gpu_bytes).await?;
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
        self.state = State::Readout(Box::new(trainer));
        Ok(start)
    }

    /// The next fit, as a step; none after the last one.
    pub(super) async fn next_fit(&mut self) -> Result<Option<Step>> {
        let State::Readout(trainer) = &mut self.state else {
            bail!(InvalidArgument, "no readout has been started");
        };
        let Some(report) = trainer.next(&mut self.session, &mut |_| Ok(())).await? else { return Ok(None) };
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
            evaluation: report.held_out.map(Into::into),
            warning: None,
        }))
    }

    /// The classifier of the readout that was fitted or restored, if there is one.
    pub(super) fn readout(&self) -> Result<Option<ExampleEncoder>> {
        let classifier = |trajectory: &Trajectory| Classifier::of(&trajectory.header, &self.session);
        Ok(match &self.state {
            State::Readout(trainer) if trainer.header().fitted_rows == 0 => {
                bail!(InvalidArgument, "the readout has not been fitted yet")
            }
            State::Readout(trainer) => Some(trainer.encoder().clone()),
            State::Restored(trajectory) | State::Torn(trajectory) => {
                classifier(trajectory)?.map(ExampleEncoder::Readout)
            }
            State::Training(_) | State::Base | State::Adapted(_) | State::Unknown => None,
        })
    }

    /// How a call turns rows into examples: by its own prompt; by the readout, where it has none; or by the prompt of the last training.
    pub(super) fn encoder(&self, config: &JsValue) -> Result<(ExampleEncoder, Prompting)> {
        let prompting = Prompting::of(config, self.prompting.clone())?;
        let own = ["task", "template", "labels"].iter().any(|name| options::field(config, name).is_some());
        let encoder = match self.readout()?.filter(|_| !own) {
            Some(readout) => readout,
            None => prompting.encoder(&self.session)?,
        };
        Ok((encoder, prompting))
    }
}
