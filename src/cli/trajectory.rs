//! Trajectory files that are named by a flag.

use std::path::Path;

use super::print::note;
use super::{files, progress};
use crate::dtype::DType;
use crate::error::Result;
use crate::train::{Header, Trajectory};
use crate::train::{Session, dtype, replay};

/// The storage format of the weights in the trajectory's run.
pub(super) fn dtype_of(path: &Path) -> Result<DType> {
    dtype(&header(path)?.dtype)
}

/// The header of the trajectory, with its latest readout.
pub(super) fn header(path: &Path) -> Result<Header> {
    Ok(open(path)?.latest_header())
}

/// Replays a trajectory file on a session's base weights, and returns the file's header.
pub(super) async fn apply(session: &mut Session, path: &Path) -> Result<Header> {
    let trajectory = open(path)?;
    if trajectory.torn_bytes > 0 {
        note!("{}: the last record is incomplete ({} bytes)", path.display(), trajectory.torn_bytes);
    }
    let bar = progress::bar(trajectory.steps().into(), progress::REPLAY);
    replay(session, &trajectory, &mut |step| {
        bar.set_position(step.into());
        Ok(())
    })
    .await?;
    bar.finish_and_clear();
    Ok(trajectory.latest_header())
}

fn open(path: &Path) -> Result<Trajectory> {
    Trajectory::parse(&files::name(path), &files::read(path)?)
}
