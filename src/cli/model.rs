//! The model that a command works on: the flags that specify it, and how it is loaded.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Args;

use super::context::Context;
use super::dtype::DtypeArgs;
use super::out_dir::Input;
use super::{device, files, progress, tiles, trajectory};
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::format::files::{FsDir, ModelDir};
use crate::format::source::ScratchFile;
use crate::gpu::Backend;
use crate::train::{Header, RandomModel, Session, read_adapter};

/// A model with weights.
#[derive(Args, Clone, Debug)]
pub(super) struct ModelPath {
    /// Hugging Face directory, or .gguf file
    #[arg(long)]
    model: PathBuf,
}

impl ModelPath {
    /// The contents of the directory or file.
    ///
    /// # Errors
    /// `invalid-argument` if it does not exist.
    pub(super) fn dir(&self) -> Result<FsDir> {
        FsDir::new(&self.model)
    }

    /// Uses the readout that was saved with the model as modules of sentence-transformers, if there is one.
    async fn use_readout(&self, session: &mut Session) -> Result<()> {
        let module = |name: &str| Some(self.model.join(name)).filter(|path| path.is_dir());
        let (Some(pooling), Some(dense)) = (module("1_Pooling"), module("2_Dense")) else { return Ok(()) };
        // Further modules would change the outputs.
        let more = [module("3_Dense"), module("3_Normalize")];
        if more.iter().any(Option::is_some) {
            return Ok(());
        }
        session.use_modules(&FsDir::new(pooling)?, &FsDir::new(dense)?).await
    }

    /// The model as an input that no output may overwrite.
    pub(super) fn input(&self) -> Input<'_> {
        ("--model", &self.model)
    }

    /// Loads the model onto a new backend.
    pub(super) async fn load(&self, context: &Context, dtype: DType) -> Result<Session> {
        let backend = device::backend(context).await?;
        load(describe(context, backend.as_ref(), &self.dir()?, dtype).await?, backend).await
    }
}

/// A model with weights, or a configuration whose weights are random.
#[derive(Args, Clone, Debug)]
pub(super) struct ModelOrConfig {
    /// Hugging Face directory, or .gguf file
    #[arg(long)]
    model: Option<PathBuf>,
    /// A config.json, instead of a model: its weights are random
    #[arg(long, conflicts_with = "model")]
    config: Option<PathBuf>,
    /// Seed of the random weights
    #[arg(long, default_value_t = 0)]
    random_weights: u64,
}

impl ModelOrConfig {
    /// The model's files.
    ///
    /// # Errors
    /// `invalid-argument` if neither flag was given, or a file cannot be read.
    pub(super) fn dir(&self) -> Result<Box<dyn ModelDir>> {
        match (&self.model, &self.config) {
            (_, Some(path)) => {
                let config = files::read(path)?;
                Ok(Box::new(RandomModel::new(&files::name(path), config, self.random_weights)?))
            }
            (Some(model), None) => Ok(Box::new(FsDir::new(model)?)),
            (None, None) => bail!(InvalidArgument, "--model or --config is needed"),
        }
    }
}

/// A model as a run left it: a base model with a trajectory or an adapter, if one is given.
#[derive(Args, Clone, Debug)]
pub(super) struct TunedModel {
    #[command(flatten)]
    base: ModelPath,
    /// Replay this trajectory first. Where a template and labels are needed and none are given, its own are used
    #[arg(long)]
    trajectory: Option<PathBuf>,
    /// Load this peft adapter in addition to the weights
    #[arg(long, conflicts_with = "trajectory")]
    adapter: Option<PathBuf>,
    #[command(flatten)]
    dtype: DtypeArgs,
}

impl TunedModel {
    /// Loads the model, and returns the header of the trajectory that was replayed on it.
    pub(super) async fn load(&self, context: &Context) -> Result<(Session, Option<Header>)> {
        let dtype = match &self.trajectory {
            Some(path) => trajectory::dtype_of(path)?,
            None => self.dtype.dtype()?,
        };
        let backend = device::backend(context).await?;
        device::note_software(backend.as_ref());
        let session = describe(context, backend.as_ref(), &self.base.dir()?, dtype).await?;
        let mut session = load(session, backend).await?;
        use_adapter(&mut session, self.adapter.as_deref()).await?;
        if self.trajectory.is_none() && self.adapter.is_none() {
            self.base.use_readout(&mut session).await?;
        }
        let header = match &self.trajectory {
            Some(path) => Some(trajectory::apply(&mut session, path).await?),
            None => None,
        };
        Ok((session, header))
    }
}

/// Describes a model without loading its weights, with the matmul tiles selected by the flags.
pub(super) async fn describe(
    context: &Context,
    backend: &dyn Backend,
    dir: &dyn ModelDir,
    dtype: DType,
) -> Result<Session> {
    let mut session = streamed(context, Session::describe(backend.limits(), dir, dtype).await?)?;
    session.set_tiles(tiles::choose(backend, &context.tiles).await?);
    Ok(session)
}

/// Prepares a described model to stream its layers, if the flag is set.
pub(super) fn streamed(context: &Context, session: Session) -> Result<Session> {
    if !context.stream_layers {
        return Ok(session);
    }
    session.stream_layers(Rc::new(ScratchFile::create(&std::env::temp_dir())?))
}

/// Loads the weights of a described model onto a backend.
pub(super) async fn load(session: Session, backend: Rc<dyn Backend>) -> Result<Session> {
    let bar = progress::bar(0, "loading  {bar:30} {percent:>3}%  {elapsed}");
    let session = session
        .load(backend, &mut |progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.loaded);
            Ok(())
        })
        .await;
    bar.finish_and_clear();
    session
}

/// The directory of an adapter.
///
/// # Errors
/// `invalid-argument` if it is not a directory.
pub(super) fn adapter_dir(path: &Path) -> Result<FsDir> {
    if !path.is_dir() {
        let found = if path.exists() { "something else" } else { "nothing" };
        let path = path.display();
        bail!(
            InvalidArgument,
            "{path}: expected the directory of an adapter as peft writes it, found {found}"
        );
    }
    FsDir::new(path)
}

/// Loads the adapter in `path`, if one is given, in addition to the session's weights.
pub(super) async fn use_adapter(session: &mut Session, path: Option<&Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let adapter = read_adapter(session, &adapter_dir(path)?).await?;
    session.use_adapter(&adapter).await
}
