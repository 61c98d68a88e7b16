//! The record of one probe.

/// Bytes of a record.
pub const RECORD_BYTES: usize = 32;

/// One probe of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// Index of the step, from 0.
    pub step: u32,
    /// Index of the probe, from 0.
    pub probe: u32,
    /// The estimate of the gradient's projection on the probe's direction: see [`super::estimator`].
    pub projected_grad: f32,
    /// The step's learning rate.
    pub learning_rate: f32,
    /// The factor that decaying tensors are multiplied by in the step, once for all probes.
    pub decay: f32,
    /// Loss at theta + epsilon z.
    pub loss_plus: f32,
    /// Loss at theta - epsilon z, or at theta for a one-sided estimate.
    pub loss_minus: f32,
}

impl Record {
    /// The record's bytes.
    pub fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        let words = [
            self.step,
            self.probe,
            self.projected_grad.to_bits(),
            self.learning_rate.to_bits(),
            self.decay.to_bits(),
            self.loss_plus.to_bits(),
            self.loss_minus.to_bits(),
        ];
        let mut bytes = [0; RECORD_BYTES];
        for (target, word) in bytes.chunks_exact_mut(4).zip(words) {
            target.copy_from_slice(&word.to_le_bytes());
        }
        let crc = crc32fast::hash(&bytes[..RECORD_BYTES - 4]);
        bytes[RECORD_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Decodes a record from its bytes, if the checksum matches.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Record> {
        let words: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        let [step, probe, grad, rate, decay, plus, minus, crc] = words[..] else { return None };
        (crc32fast::hash(&bytes[..RECORD_BYTES - 4]) == crc).then(|| Record {
            step,
            probe,
            projected_grad: f32::from_bits(grad),
            learning_rate: f32::from_bits(rate),
            decay: f32::from_bits(decay),
            loss_plus: f32::from_bits(plus),
            loss_minus: f32::from_bits(minus),
        })
    }
}
