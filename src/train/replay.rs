//! Replay: the fine-tuned weights from the base weights and the trajectory, bit for bit on every device.

use super::session::Session;
use crate::error::Result;
use crate::model::Extent;
use crate::zo::spsa::{self, Update};
use crate::zo::trajectory::Trajectory;

/// Applies a trajectory's updates to the base weights it was made with. `progress` is told the steps done, and may stop it.
///
/// # Errors
/// `trajectory-mismatch` when the model is another one; those of the backend; what `progress` stops it with, after which the
/// weights are those of the steps done.
pub async fn replay(
    session: &mut Session,
    trajectory: &Trajectory,
    progress: &mut dyn FnMut(u32) -> Result<()>,
) -> Result<()> {
    check_model(session, trajectory)?;
    let seed = trajectory.header.seed()?;
    let (model, ws) = session.prepare(Extent { branches: 1, tokens: 1, targets: 1, labels: 0 })?;
    for record in &trajectory.records {
        model.apply_update(ws, &spsa::step(Some(&Update::of(seed, record)), None)).await?;
        progress(record.step + 1)?;
    }
    Ok(())
}

/// Whether a trajectory was made with the session's model.
pub(super) fn check_model(session: &Session, trajectory: &Trajectory) -> Result<()> {
    let (spec, weights) = (session.model.spec(), session.model.weights());
    trajectory.header.check_model(spec.family, spec.parameters(), weights.fingerprint())
}
