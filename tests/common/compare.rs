//! Comparison of computed values with expected ones.

use pocketllm::dtype::DType;
use pocketllm::train::Session;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The largest difference, in standard deviations of the expected values.
pub(crate) fn deviations(ours: &[f32], right: &[f32]) -> f32 {
    assert_eq!(ours.len(), right.len());
    let mean = right.iter().sum::<f32>() / right.len() as f32;
    let deviation = (right.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / right.len() as f32).sqrt();
    let apart = ours.iter().zip(right).map(|(a, b)| (a - b).abs());
    // A NaN must not count as no difference.
    apart.map(|d| if d.is_finite() { d } else { f32::INFINITY }).fold(0.0, f32::max) / deviation
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Each base tensor's name and the SHA-256 of its values, as f16 if it is stored as f16, otherwise as f32. All tensors are read at
/// once, because a browser takes up to 0.1 s for each read.
pub(crate) async fn digests(session: &Session) -> Vec<(String, String)> {
    let tensors = session.model.spec().tensors.as_slice();
    let all = (0..tensors.len()).map(|id| digest(session, id));
    let names = tensors.iter().map(|tensor| tensor.name.clone());
    names.zip(futures_util::future::join_all(all).await).collect()
}

async fn digest(session: &Session, id: usize) -> String {
    let weights = session.model.weights();
    let half = weights.matrix(id).is_ok_and(|matrix| matrix.dtype == DType::F16);
    let mut bytes = Vec::new();
    let mut add = |values: &[f32]| {
        bytes.extend(if half { DType::F16 } else { DType::F32 }.quantize(values)?);
        Ok(())
    };
    weights.read(session.model.backend(), id, &mut add).await.unwrap();
    sha256(&bytes)
}

/// A word that a golden file has in hexadecimal digits.
pub(crate) fn word(value: &Value) -> u32 {
    u32::from_str_radix(value.as_str().unwrap(), 16).unwrap()
}

/// A list of integers.
pub(crate) fn numbers(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}
