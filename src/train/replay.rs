//! Replay: computes the fine-tuned weights from the base weights and the trajectory, to the same bits on every device.

use super::classifier::Classifier;
use super::method::Setup;
use super::session::Session;
use super::settings::Settings;
use super::trajectory::Trajectory;
use super::updater::Updater;
use crate::error::{Result, bail};

/// Applies a trajectory's updates to the base weights it was made with, many steps in one pass over them, or adds the trained
/// adapter. `progress` receives the number of finished steps, and may stop the replay by returning an error.
///
/// # Errors
/// `trajectory-mismatch` if the model or its storage format differs; errors from the backend; errors from `progress`, after which
/// the weights are those of some step.
pub async fn replay(
    session: &mut Session,
    trajectory: &Trajectory,
    progress: &mut dyn FnMut(u32) -> Result<()>,
) -> Result<()> {
    check_model(session, trajectory)?;
    let header = &trajectory.header;
    let Settings { method, estimator, trainable, seed, .. } = &header.settings;
    // After method readout there are no steps that would use it.
    let classifier = Classifier::of(&trajectory.latest_header(), session)?.filter(|_| !method.is_readout());
    session.use_readout(classifier.as_ref())?;
    let (initial, _) = Classifier::split(header, session);
    session.set_up(&Setup { method, estimator, trainable, seed: *seed, initial }).await?;
    follow(session, trajectory, progress).await.map(drop)
}

/// Applies a trajectory's updates to a session that is set up for it.
pub(super) async fn follow(
    session: &mut Session,
    trajectory: &Trajectory,
    progress: &mut dyn FnMut(u32) -> Result<()>,
) -> Result<Updater> {
    let mut updater = Updater::new(&trajectory.header.settings);
    for step in 0..trajectory.steps() {
        advance(session, &mut updater, trajectory, step).await?;
        progress(step + 1)?;
    }
    updater.settle(session).await?;
    Ok(updater)
}

/// Queues the updates of one step of a trajectory.
pub(super) async fn advance(
    session: &mut Session,
    updater: &mut Updater,
    trajectory: &Trajectory,
    step: u32,
) -> Result<()> {
    let estimator = &trajectory.header.settings.estimator;
    let probes = estimator.probes as usize;
    updater.enter(session, step).await?;
    let end = (step as usize + 1) * probes;
    let first = end.saturating_sub(probes * estimator.reach());
    updater.queue(session, &trajectory.records[first..end]).await
}

/// Checks that a trajectory was made with the session's model, in the same storage format.
pub(super) fn check_model(session: &Session, trajectory: &Trajectory) -> Result<()> {
    let (spec, weights) = (session.model.spec(), session.model.weights());
    trajectory.header.check_model(spec.family, spec.parameters(), weights.fingerprint())?;
    let (made, here) = (&trajectory.header.dtype, super::method::dtype_name(session.dtype()));
    if made != here {
        bail!(TrajectoryMismatch, "the trajectory was made with dtype {made}, the model is loaded as {here}");
    }
    Ok(())
}
