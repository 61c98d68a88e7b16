//! Times recordings against each other, in loops long enough for a browser's coarse clock.

use super::{Backend, Buffer, Recording};
use crate::clock::Instant;
use crate::error::Result;

/// The limits of a measurement.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Minimum milliseconds of a loop over one recording, many times the resolution of a browser's clock (65 to 100 microseconds).
    pub loop_ms: f64,
    /// Number of rounds over all recordings. The fastest round counts, because other load only slows a round down.
    pub rounds: u32,
    /// A recording that is slower than the fastest one by this factor is not timed again.
    pub hopeless: f64,
    /// No round starts after this many milliseconds.
    pub total_ms: f64,
}

/// Milliseconds per run of each recording. All recordings write to `probe`, which is read back to wait for their completion.
///
/// # Errors
/// The errors of [`Backend::run`].
pub async fn time(
    backend: &dyn Backend,
    recordings: &[Recording],
    probe: &Buffer,
    timing: Timing,
) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    let mut loops = Vec::new();
    for recording in recordings {
        // The first run includes compilation.
        run(backend, recording, probe).await?;
        let ms = run(backend, recording, probe).await?;
        let fastest = times.iter().copied().fold(ms, f64::min);
        let repeat =
            if ms > timing.hopeless * fastest { 0 } else { (timing.loop_ms / ms.max(0.05)).ceil() as usize };
        let repeated: Recording = (0..repeat).flat_map(|_| recording.dispatches().to_vec()).collect();
        loops.push((repeat, repeated));
        times.push(ms);
    }
    // Compilation is not included in the time limit: on a phone, it takes longer than the rounds.
    let start = Instant::now();
    for _ in 0..timing.rounds {
        if start.elapsed_ms() > timing.total_ms {
            break;
        }
        for ((repeat, recording), best) in loops.iter().zip(&mut times) {
            if *repeat > 0 {
                *best = best.min(run(backend, recording, probe).await? / *repeat as f64);
            }
        }
    }
    Ok(times)
}

async fn run(backend: &dyn Backend, recording: &Recording, probe: &Buffer) -> Result<f64> {
    let start = Instant::now();
    backend.run(recording).await?;
    backend.read(probe, 0, 16).await?;
    Ok(start.elapsed_ms())
}
