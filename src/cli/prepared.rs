//! Prepares a run: settings, data and encoder, before the weights are loaded.

use super::data::{DataFile, note_shared, note_truncation};
use super::finetune_args::Args;
use super::print::note;
use super::{figures, model, progress};
use crate::error::{Result, bail};
use crate::text::rows::{Dataset, Rows};
use crate::train::{
    AdapterFile, ExampleEncoder, Examples, Method, ReadoutTrainer, Session, Settings, Sizes, Trajectory,
    read_adapter, search,
};

/// What a run begins with.
pub(super) struct Prepared {
    pub(super) settings: Settings,
    /// The initial values of the adapter that is trained further; empty if there is none.
    pub(super) initial: Vec<f32>,
    /// Fits the readout that precedes the steps, if the run has one and does not continue.
    fitter: Option<ReadoutTrainer>,
    pub(super) encoder: ExampleEncoder,
    pub(super) examples: Examples,
    pub(super) held_out: Option<Examples>,
    pub(super) template: Option<String>,
    /// How many held-out rows are also in the training data, if rows are held out.
    pub(super) shared: Option<usize>,
}

impl Prepared {
    /// Resolves the options and encodes the training and held-out data of a run on a described model. `existing` is the run to
    /// continue. Prints notes on the data.
    ///
    /// # Errors
    /// The errors of the options, the data and the adapter.
    pub(super) async fn of(
        args: &Args,
        session: &Session,
        (data, held_out): (DataFile, Option<DataFile>),
        existing: Option<&Trajectory>,
    ) -> Result<Prepared> {
        let (settings, initial) = settings(args, session).await?;
        let (data, rest) = args.data.draw(data.read(session)?)?;
        let held_out = held_out.map(|file| file.read(session)).transpose()?.or(rest);
        let shared = note_shared(&data, held_out.as_ref());
        if args.options.balanced == Some(true)
            && !matches!(data.rows, Rows::Classified(_) | Rows::Questions(_))
        {
            bail!(InvalidArgument, "--balanced: expected rows with labels in {}, found none", data.name);
        }
        let (fitter, encoder) = encoder(args, session, &settings, (&data, held_out.as_ref()), existing)?;
        if args.options.keep_best && held_out.is_none() {
            bail!(
                InvalidArgument,
                "--keep-best: expected held-out data to choose by, found neither --eval nor --hold-out"
            );
        }
        let length = settings.length_for(session.model.spec())?;
        let examples = encoder.encode(session, &data, length)?;
        let held_out = held_out.map(|data| encoder.encode(session, &data, length)).transpose()?;
        let notes = examples.notes.iter().chain(held_out.iter().flat_map(|held_out| &held_out.notes));
        notes.for_each(|note| note!("{note}"));
        note_truncation(args.options.max_length, length, [Some(&examples), held_out.as_ref()]);
        let template = args.data.prompt.template(session)?;
        Ok(Prepared { settings, initial, fitter, encoder, examples, held_out, template, shared })
    }

    /// The sizes that the run's memory is planned from.
    pub(super) fn sizes(&self) -> Sizes {
        Sizes::of(&self.examples, self.held_out.as_ref(), self.encoder.score())
    }

    /// Does what needs the weights: fits the readout, and searches for a learning rate if `searches` is set. A run that continues
    /// has both already.
    ///
    /// # Errors
    /// The errors of [`ReadoutTrainer::next`] and [`search`].
    pub(super) async fn complete(
        &mut self,
        session: &mut Session,
        searches: bool,
        existing: Option<&Trajectory>,
    ) -> Result<()> {
        if let Some(fitter) = &mut self.fitter {
            while let Some(report) = fitter.next(session, &mut |_| Ok(())).await? {
                note!("readout after {}", figures::readout(&report));
            }
            self.encoder = fitter.encoder().clone();
        }
        if searches {
            self.settings.learning_rate = match existing {
                Some(trajectory) => trajectory.header.settings.learning_rate,
                None => find_rate(session, &self.settings, &self.encoder, &self.examples).await?,
            };
        }
        Ok(())
    }
}

/// The settings of a run, and the initial values of the adapter that it continues to train.
async fn settings(args: &Args, session: &Session) -> Result<(Settings, Vec<f32>)> {
    let adapter = match &args.adapter {
        Some(path) => Some(read_adapter(session, &model::adapter_dir(path)?).await?),
        None => None,
    };
    let initial = adapter.as_ref().map(AdapterFile::initial).transpose()?.unwrap_or_default();
    let options = match &adapter {
        Some(adapter) => args.options.clone().for_adapter(&adapter.method)?,
        None => args.options.clone(),
    };
    let mut settings = options.resolve(session.model.spec(), args.data.prompt.task()?)?;
    // The command line always evaluates at the end.
    if settings.evaluate_every == 0 {
        settings.evaluate_every = settings.steps;
    }
    if settings.readout.is_some() {
        args.data.prompt.refuse_for_steps()?;
    }
    if args.save_model {
        settings.method.adapter().map_or(Ok(()), |adapter| session.check_saved(&adapter))?;
    }
    Ok((settings, initial.to_vec()))
}

/// The encoder, and what fits its readout if it has one that is not fitted yet. A run that continues keeps its readout.
fn encoder(
    args: &Args,
    session: &Session,
    settings: &Settings,
    (data, held_out): (&Dataset, Option<&Dataset>),
    existing: Option<&Trajectory>,
) -> Result<(Option<ReadoutTrainer>, ExampleEncoder)> {
    if let (Some(pooling), None) = (settings.readout, existing) {
        let settings = Settings { method: Method::Readout { pooling }, ..settings.clone() };
        let fitter = ReadoutTrainer::new(session, settings, data, held_out)?;
        let encoder = fitter.encoder().clone();
        return Ok((Some(fitter), encoder));
    }
    let header = existing.map(Trajectory::latest_header);
    Ok((None, args.data.prompt.encoder_of_run(session, header.as_ref())?))
}

/// Searches for a learning rate, and prints the result of each.
async fn find_rate(
    session: &mut Session,
    settings: &Settings,
    encoder: &ExampleEncoder,
    examples: &Examples,
) -> Result<f32> {
    let bar = progress::bar(0, "trying learning rates {bar:20} {pos}/{len}  {elapsed}");
    let (rate, trials) = search(session, settings, encoder, examples, &mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        Ok(())
    })
    .await?;
    bar.finish_and_clear();
    for trial in &trials {
        let chosen = if trial.learning_rate == rate { "  <- chosen" } else { "" };
        note!("learning rate {:e}: loss {:.4}{chosen}", trial.learning_rate, trial.loss);
    }
    Ok(rate)
}
