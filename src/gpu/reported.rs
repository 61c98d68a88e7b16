//! Errors that a device reports outside of a call.

use std::sync::{Arc, Mutex};

use crate::error::{Code, Error, Result, err};

/// The reported error that is the cause of the others.
#[derive(Clone, Default)]
pub(super) struct Reported(Arc<Mutex<Option<Error>>>);

impl Reported {
    /// Keeps the error, unless an earlier one is its cause. Returns whether it was kept.
    pub(super) fn set(&self, error: Error) -> bool {
        // A device may be lost because it is out of memory, and a lost device causes all other errors.
        let rank = |error: &Error| match error.code() {
            Code::OutOfMemory => 2,
            Code::DeviceLost => 1,
            _ => 0,
        };
        let Ok(mut slot) = self.0.lock() else { return false };
        let kept = slot.as_ref().is_none_or(|earlier| rank(&error) > rank(earlier));
        if kept {
            *slot = Some(error);
        }
        kept
    }

    /// Keeps a wgpu error.
    pub(super) fn of_wgpu(&self, error: &wgpu::Error) {
        self.set(match error {
            wgpu::Error::OutOfMemory { .. } => err!(OutOfMemory, "the GPU is out of memory: {error}"),
            other => err!(LimitExceeded, "the GPU refused a call: {other}"),
        });
    }

    /// Returns the reported error, if any.
    pub(super) fn check(&self) -> Result<()> {
        match self.0.lock() {
            Ok(slot) => slot.clone().map_or(Ok(()), Err),
            Err(_) => Err(err!(DeviceLost, "the GPU's error handler panicked")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_kept() {
        let (memory, lost) = (err!(OutOfMemory, "full"), err!(DeviceLost, "gone"));
        let refused = err!(LimitExceeded, "invalid");
        for (first, second, kept) in [
            (&memory, &lost, Code::OutOfMemory),
            (&lost, &memory, Code::OutOfMemory),
            (&lost, &refused, Code::DeviceLost),
            (&refused, &lost, Code::DeviceLost),
            (&refused, &refused, Code::LimitExceeded),
        ] {
            let reported = Reported::default();
            assert!(reported.set(first.clone()));
            reported.set(second.clone());
            assert_eq!(reported.check().unwrap_err().code(), kept);
        }
    }
}
