//! How computed values are held against expected ones.

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
    // A NaN must not pass as no difference.
    apart.map(|d| if d.is_finite() { d } else { f32::INFINITY }).fold(0.0, f32::max) / deviation
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Each base tensor's name and the SHA-256 of its values, as f16 where it is stored so and as f32 elsewhere.
pub(crate) async fn digests(session: &Session) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let weights = session.model.weights();
    for (id, tensor) in session.model.spec().tensors.as_slice().iter().enumerate() {
        let half = weights.matrix(id).is_ok_and(|matrix| matrix.dtype == DType::F16);
        let mut bytes = Vec::new();
        let mut add = |values: &[f32]| {
            bytes.extend(if half { DType::F16 } else { DType::F32 }.quantize(values)?);
            Ok(())
        };
        weights.read(session.model.backend(), id, &mut add).await.unwrap();
        found.push((tensor.name.clone(), sha256(&bytes)));
    }
    found
}

/// A word that a golden file has in hexadecimal digits.
pub(crate) fn word(value: &Value) -> u32 {
    u32::from_str_radix(value.as_str().unwrap(), 16).unwrap()
}

/// A list of whole numbers.
pub(crate) fn numbers(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}
