//! A training run: its start and its steps.

use js_sys::Function;
use wasm_bindgen::JsValue;

use super::fine_tuner::{State, Tuner};
use super::options::{self, Progress, Prompting};
use super::plan;
use super::report::{Start, Step};
use crate::error::{Code, Result, bail, err};
use crate::names::Named;
use crate::text::rows::{Dataset, Rows};
use crate::train::{
    Best, Diagnosis, ExampleEncoder, Examples, Method, Options, ReadoutTrainer, Session, Settings, Sizes,
    Trainer, Trajectory, Trial, dtype_name, search,
};

/// What a training begins with, before the model is changed.
struct Prepared {
    given: Options,
    prompting: Prompting,
    settings: Settings,
    /// The initial values of the adapter that is trained further; empty if there is none.
    initial: Vec<f32>,
    /// Fits the readout that precedes the steps, if the training has one.
    fitter: Option<ReadoutTrainer>,
    encoder: ExampleEncoder,
    examples: Examples,
    held_out: Option<Examples>,
    /// Maximum tokens of an example.
    length: u32,
}

/// Whether a restored run can continue. A run of method readout has no steps to continue.
fn goes_on(trajectory: &Trajectory) -> bool {
    !trajectory.header.settings.method.is_readout()
}

impl Tuner {
    pub(super) async fn start(
        &mut self,
        config: &JsValue,
        on_progress: &Function,
        cancel: &JsValue,
    ) -> Result<Start> {
        // A restored run's settings determine the format of its weights; with other weights it would be a different run.
        let here = dtype_name(self.session.dtype());
        if let Some(dtype) = options::text(config, "dtype").filter(|dtype| dtype != here) {
            bail!(InvalidArgument, "dtype: expected {here}, as the model is loaded, found {dtype}");
        }
        let given: Options = options::parse(config.clone(), "training options")?;
        if given.is_readout() {
            return self.start_readout(config, &given).await;
        }
        let mut prepared = self.prepare(config, given).await?;
        let restored_before = matches!(&self.state, State::Restored(trajectory) if goes_on(trajectory));
        if let Some(fitter) = prepared.fitter.take().filter(|_| !restored_before) {
            self.reset().await?;
            prepared.encoder = self.fit_first(fitter, on_progress, cancel).await?;
        }
        let trials = match prepared.given.searches() && !restored_before {
            true => self.search_rate(&mut prepared, on_progress, cancel).await?,
            false => Vec::new(),
        };
        let Prepared { given, prompting, settings, initial, encoder, examples, held_out, length, .. } =
            prepared;
        let of_held_out = held_out.iter().flat_map(|held_out| &held_out.notes);
        let notes = examples.notes.iter().chain(of_held_out).cloned().collect();
        let (steps, count, learning_rate) = (settings.steps, examples.examples.len(), settings.learning_rate);
        let diagnosis = Diagnosis::new(steps, learning_rate, settings.epsilon);
        let mut trainer =
            Trainer::new(&self.session, settings, encoder, prompting.template(&self.session)?, examples)?;
        self.begin_or_adopt(&mut trainer, &initial).await?;
        self.best = match held_out.as_ref().filter(|_| given.keep_best && !trainer.is_kept()) {
            Some(held_out) => {
                let mut keep_going = || options::check_cancel(cancel);
                Some(trainer.best_so_far(&mut self.session, held_out, &mut keep_going).await?)
            }
            None => None,
        };
        let first_step = trainer.done() + 1;
        self.held_out = held_out;
        self.prompting = prompting;
        self.max_length = length;
        self.state = State::Training(Box::new(trainer));
        self.diagnosis = Some(diagnosis);
        Ok(Start { first_step, steps, examples: count, learning_rate, trials, notes })
    }

    /// Resolves the options and encodes the rows of a training, and checks that it fits the memory.
    async fn prepare(&self, config: &JsValue, mut given: Options) -> Result<Prepared> {
        let prompting = Prompting::of(config, Prompting::default())?;
        // A loaded adapter is trained further, unless another method is specified.
        let initial = match &self.state {
            State::Adapted(adapter)
                if given.method.method.is_none_or(|kind| kind.name() == adapter.method.name()) =>
            {
                given = given.for_adapter(&adapter.method)?;
                adapter.initial()?.to_vec()
            }
            _ => Vec::new(),
        };
        let mut settings = given.resolve(self.session.model.spec(), prompting.task())?;
        let read =
            |name: &str, file: &str| prompting.data(&self.session, config, name, options::text(config, file));
        let data = read("data", "dataName")?.ok_or_else(|| err!(InvalidArgument, "data are missing"))?;
        let held_out = read("eval", "evalName")?;
        let (data, held_out) = options::drawn(config, data, held_out)?;
        if given.keep_best && held_out.is_none() {
            bail!(
                InvalidArgument,
                "keepBest: expected held-out data to choose by, found neither eval nor holdOut"
            );
        }
        if given.balanced == Some(true) && !matches!(data.rows, Rows::Classified(_) | Rows::Questions(_)) {
            bail!(InvalidArgument, "balanced: expected rows with labels in {}, found none", data.name);
        }
        // There must be evaluations to choose from.
        if given.keep_best && settings.evaluate_every == 0 {
            settings.evaluate_every = settings.steps;
        }
        // A readout before the first step is fitted now, unless the restored run already has it.
        let fitter = match settings.readout {
            Some(pooling) => {
                prompting.refuse_for_readout()?;
                let settings = Settings { method: Method::Readout { pooling }, ..settings.clone() };
                Some(ReadoutTrainer::new(&self.session, settings, &data, held_out.as_ref())?)
            }
            None => None,
        };
        let encoder = match (&fitter, self.readout_of_run()?) {
            (Some(_), Some(restored)) => restored,
            (Some(fitter), None) => fitter.encoder().clone(),
            (None, _) => prompting.encoder(&self.session)?,
        };
        let length = settings.length_for(self.session.model.spec())?;
        let examples = encoder.encode(&self.session, &data, length)?;
        let encode = |data: Dataset| encoder.encode(&self.session, &data, length);
        let held_out = held_out.map(encode).transpose()?;
        if self.max_gpu_bytes.is_some() {
            let sizes = Sizes::of(&examples, held_out.as_ref(), encoder.score());
            plan::check(&self.session, &settings, &sizes, self.max_gpu_bytes).await?;
        }
        Ok(Prepared { given, prompting, settings, initial, fitter, encoder, examples, held_out, length })
    }

    /// Searches for the learning rate of a training from the base weights. Returns the result of each rate.
    async fn search_rate(
        &mut self,
        prepared: &mut Prepared,
        on_progress: &Function,
        cancel: &JsValue,
    ) -> Result<Vec<Trial>> {
        self.reset().await?;
        self.state = State::Unknown;
        let mut progress = |done: usize, all: usize| {
            let (loaded, total) = (done as u64, all as u64);
            Progress { stage: "search", file: "", loaded, total }.tell(on_progress);
            options::check_cancel(cancel)
        };
        let Prepared { settings, encoder, examples, .. } = prepared;
        let (rate, trials) = search(&mut self.session, settings, encoder, examples, &mut progress).await?;
        self.state = State::Base;
        settings.learning_rate = rate;
        Ok(trials)
    }

    /// Sets the model up for a training. A restored run continues where it stopped; any other run starts with the base weights.
    async fn begin_or_adopt(&mut self, trainer: &mut Trainer, initial: &[f32]) -> Result<()> {
        let restored = match &self.state {
            State::Restored(trajectory) if goes_on(trajectory) => Some(trajectory.as_ref().clone()),
            _ => None,
        };
        match restored {
            Some(trajectory) => trainer.adopt(&mut self.session, trajectory).await,
            None => {
                self.reset().await?;
                trainer.begin(&mut self.session, initial).await
            }
        }
    }

    pub(super) async fn stoppable_step(
        &mut self,
        cancel: JsValue,
        on_progress: Option<Function>,
    ) -> Result<Option<Step>> {
        self.device.stop_when(Some(Box::new(move || options::check_cancel(&cancel))));
        let step = self.next_step(on_progress).await;
        self.device.stop_when(None);
        if let (Err(error), State::Training(trainer)) = (&step, &self.state)
            && matches!(error.code(), Code::Aborted | Code::NonFiniteLoss)
        {
            // After an abort, the previous step's update may have been applied to only a part of the weights. After an explosion,
            // the weights are ahead of the records.
            self.state = State::Torn(Box::new(trainer.trajectory().clone()));
        }
        step
    }

    async fn next_step(&mut self, on_progress: Option<Function>) -> Result<Option<Step>> {
        if let State::Readout(_) = &self.state {
            return self.next_fit(on_progress).await;
        }
        let State::Training(trainer) = &mut self.state else {
            bail!(InvalidArgument, "no training has been started");
        };
        let Some(report) = trainer.step(&mut self.session).await? else {
            trainer.settle(&mut self.session).await?;
            // The run was stopped after its last step, but before its best one was kept.
            keep_best(&mut self.session, trainer, &mut self.best).await?;
            return Ok(None);
        };
        let evaluation = match trainer.evaluation_due() {
            true => {
                let held_out = self.held_out.as_ref();
                let report = trainer.evaluate(&mut self.session, held_out, &mut || Ok(())).await?;
                self.best = self.best.map(|best| Best::or(Some(best), trainer.done(), report.loss));
                Some(report.into())
            }
            false => None,
        };
        trainer.check_end(&mut self.session).await?;
        let kept = match trainer.is_complete() {
            true => keep_best(&mut self.session, trainer, &mut self.best).await?,
            false => None,
        };
        let warning = self.diagnosis.as_mut().and_then(|diagnosis| diagnosis.observe(&report));
        Ok(Some(Step {
            step: report.step + 1,
            steps: trainer.settings().steps,
            loss_plus: report.loss_plus(),
            loss_minus: report.loss_minus(),
            projected_grad: report.projected_grad(),
            loss: report.loss(),
            learning_rate: report.learning_rate,
            ms: report.ms,
            tokens: report.tokens,
            rows: None,
            gpu_bytes: self.session.model.backend().memory().total(),
            evaluation,
            kept,
            warning: trainer.warning_at_end(&self.session).or(warning),
        }))
    }
}

/// Ends a complete run with the weights of its best evaluation, if there is one. Returns the number of its steps.
async fn keep_best(
    session: &mut Session,
    trainer: &mut Trainer,
    best: &mut Option<Best>,
) -> Result<Option<u32>> {
    let Some(found) = *best else { return Ok(None) };
    if found.steps < trainer.done() {
        trainer.keep(session, found.steps, &mut |_| Ok(())).await?;
    }
    *best = None;
    Ok(Some(found.steps))
}
