//! Opens the device and the model that a command works on, showing how far it is.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::Context;
use super::method::DtypeArgs;
use super::tiles;
use crate::dtype::DType;
use crate::error::{Code, Error, Result, bail};
use crate::format::files::{FsDir, ModelDir};
use crate::gpu::{Backend, Gpu, GpuOptions, Limits, LimitsChoice};
use crate::reference::Host;
use crate::train::{RandomModel, Session, read_adapter};

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Device {
    /// The GPU, through WebGPU's own API.
    #[default]
    Gpu,
    /// The kernels' plain twins.
    Cpu,
}

/// Which limits to use.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum LimitsArg {
    /// The adapter's.
    #[default]
    Adapter,
    /// WebGPU's defaults.
    Default,
}

/// The backend that the flags ask for.
pub(super) async fn backend(context: &Context) -> Result<Rc<dyn Backend>> {
    Ok(match context.device {
        Device::Cpu => Host::open(),
        Device::Gpu => {
            let limits = match context.limits {
                LimitsArg::Adapter => LimitsChoice::Adapter,
                LimitsArg::Default => LimitsChoice::Default,
            };
            Gpu::open(GpuOptions { limits }).await?
        }
    })
}

/// The limits of the device that the flags ask for; WebGPU's defaults where there is none.
pub(super) async fn limits(context: &Context) -> Limits {
    backend(context).await.map_or(Limits::WEBGPU_DEFAULT, |backend| backend.limits())
}

/// The model at `path`, loaded onto a new backend.
pub(super) async fn session(context: &Context, path: &Path, dtype: DType) -> Result<Session> {
    let backend = backend(context).await?;
    load(describe(context, backend.as_ref(), &FsDir::new(path)?, dtype).await?, backend).await
}

/// A model whose weights are still to be loaded, with the cuts of matmuls that the flags ask for.
pub(super) async fn describe(
    context: &Context,
    backend: &dyn Backend,
    dir: &dyn ModelDir,
    dtype: DType,
) -> Result<Session> {
    let mut session = Session::describe(backend.limits(), dir, dtype).await?;
    session.set_tiles(tiles::choose(backend, &context.tiles).await?);
    Ok(session)
}

/// The session with its weights on a backend.
pub(super) async fn load(session: Session, backend: Rc<dyn Backend>) -> Result<Session> {
    let bar = bar(0, "loading  {bar:30} {percent:>3}%  {elapsed}");
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

/// Which model: one with weights, or a configuration with random ones.
#[derive(Args, Clone, Debug)]
pub(super) struct ModelArgs {
    /// Hugging Face directory, or .gguf file
    #[arg(long, conflicts_with = "config")]
    model: Option<PathBuf>,
    /// A config.json, instead of a model: its weights are random
    #[arg(long)]
    config: Option<PathBuf>,
    /// Seed of the random weights
    #[arg(long, default_value_t = 0)]
    random_weights: u64,
}

impl ModelArgs {
    pub(super) fn dir(&self) -> Result<Box<dyn ModelDir>> {
        match (&self.model, &self.config) {
            (_, Some(path)) => Ok(Box::new(RandomModel::new(&name(path), read(path)?, self.random_weights)?)),
            (Some(path), None) => Ok(Box::new(FsDir::new(path)?)),
            (None, None) => bail!(InvalidArgument, "--model or --config is needed"),
        }
    }
}

/// Puts the adapter in `path` beside the session's weights, if one is given.
pub(super) async fn adapt(session: &mut Session, path: Option<&Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let adapter = read_adapter(session, &FsDir::new(path)?).await?;
    session.use_adapter(&adapter).await
}

/// How weights are to be stored: as a trajectory's run did, if one is given.
pub(super) fn dtype_for(args: &DtypeArgs, trajectory: Option<&Path>) -> Result<DType> {
    trajectory.map_or_else(|| args.dtype(), super::replay::dtype_of)
}

/// A progress bar on stderr, drawn only where that is a terminal.
pub(super) fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// A file's bytes.
///
/// # Errors
/// `invalid-argument` when it cannot be read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::new(Code::InvalidArgument, format!("{}: {e}", path.display())))
}

/// The error of a write: a full disk has a code of its own.
pub(super) fn write_error(path: &Path, error: &std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::StorageFull,
        _ => Code::InvalidArgument,
    };
    Error::new(code, format!("{}: {error}", path.display()))
}

/// Makes a directory and those above it.
pub(super) fn make_dir(path: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(path).map_err(|e| write_error(path, &e))?;
    Ok(path.to_owned())
}

/// A path as text, for messages.
pub(super) fn name(path: &Path) -> String {
    path.display().to_string()
}
