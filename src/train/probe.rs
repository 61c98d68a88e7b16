//! A short measurement of a device before a model is downloaded for it: whether it has enough memory, and how fast it is.

use super::bench::forward_flops;
use super::session::Session;
use super::trial::random_examples;
use crate::clock::Instant;
use crate::error::{Result, bail};
use crate::gpu::{Backend, MemoryClass};
use crate::model::Pooling;
use crate::text::batch::Batch;

/// Tokens of a text.
const LENGTH: u32 = 64;
/// Numbers of texts per pass, tried in order until a pass takes long enough to be measured.
const TEXTS: [u32; 3] = [2, 8, 32];
/// The duration of a pass, in milliseconds, that is long enough to be measured.
const ENOUGH_MS: f64 = 100.0;
/// Size in bytes of the pieces in which memory is tested.
const PIECE: u64 = 128 << 20;

/// The speed of a device: the floating-point operations per second of a forward pass of `session`, a small model, over random
/// tokens. The first pass, in which shaders are compiled, is not counted. Takes about a second.
///
/// # Errors
/// `non-finite-loss` if the device computes values that are not finite; errors from the backend.
pub async fn probe_speed(session: &mut Session) -> Result<f64> {
    let mut best = 0.0_f64;
    for texts in TEXTS {
        let examples = random_examples(session.model.spec(), texts, LENGTH);
        let batch = Batch::pack(&examples.iter().collect::<Vec<_>>());
        session.features(&batch, Pooling::Mean).await?;
        let start = Instant::now();
        let features = session.features(&batch, Pooling::Mean).await?;
        let ms = start.elapsed_ms();
        if features.iter().any(|value| !value.is_finite()) {
            bail!(NonFiniteLoss, "the GPU computes values that are not numbers");
        }
        best = best.max(forward_flops(session.model.spec(), batch.ids.len(), 0) / (ms.max(0.1) / 1e3));
        if ms > ENOUGH_MS {
            break;
        }
    }
    Ok(best)
}

/// Allocates `bytes` of device memory, writes and reads back each piece, and frees it.
///
/// # Errors
/// `out-of-memory`, `device-lost`.
pub async fn probe_memory(backend: &dyn Backend, bytes: u64) -> Result<()> {
    let piece = PIECE.min(backend.limits().whole_binding());
    let mut held = Vec::new();
    let mut left = bytes;
    while left > 0 {
        let size = left.min(piece);
        let buffer = backend.create("probe", size, MemoryClass::Scratch)?;
        let end = buffer.bytes() - 4;
        backend.write(&buffer, end, &[1, 2, 3, 4])?;
        if backend.read(&buffer, end, 4).await? != [1, 2, 3, 4] {
            bail!(OutOfMemory, "the GPU did not keep what was written to {size} bytes of its memory");
        }
        held.push(buffer);
        left -= size;
    }
    Ok(())
}
