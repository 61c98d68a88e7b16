//! The CPU backend: fast kernels for a model's passes, with vector instructions and, natively, threads.
//!
//! A kernel that has no fast version here runs as its CPU reference, so every model works. Kernels that write weights give the same
//! bits as the reference. Activations may differ from it in their last bits, but they do not depend on the number of threads, and
//! each sum has a fixed order, whatever the vector width. Only the use of fused multiply-adds differs: they are used with AVX2 and
//! NEON and, in WebAssembly, in the matmuls of a browser with relaxed SIMD whose processor fuses them.

mod attention;
#[cfg(target_arch = "wasm32")]
pub(crate) mod crew;
mod elementwise;
mod embedding;
mod finish;
mod loss;
mod matmul;
mod matrix;
mod norms;
#[cfg(target_arch = "wasm32")]
mod products;
mod random;
mod threads;
mod tiles;
mod vector;
mod weights;

use std::rc::Rc;

use crate::reference::{Host, Reference};

/// The kernels that are faster than their CPU references.
static KERNELS: &[(&str, Reference)] = &[
    ("activation", elementwise::activation),
    ("attention", attention::run),
    ("attention_registers", attention::run),
    ("cross_entropy_block", loss::block),
    ("dequantize", weights::dequantize),
    ("embedding", embedding::plain),
    ("embedding_perturbed", embedding::perturbed),
    ("glu", elementwise::glu),
    ("layer_norm", norms::layer_norm),
    ("materialize", weights::materialize),
    ("matmul", matmul::run),
    ("rms_norm", norms::rms_norm),
    ("rotary", elementwise::rotary),
];

/// A backend that runs recordings on the CPU.
pub fn open() -> Rc<Host> {
    Host::with(KERNELS)
}

#[cfg(test)]
mod tests {
    use super::KERNELS;

    #[test]
    fn every_fast_kernel_takes_the_place_of_a_reference() {
        let references: Vec<&str> = crate::reference::KERNELS.iter().map(|(name, _)| *name).collect();
        assert!(KERNELS.iter().all(|(name, _)| references.contains(name)));
    }
}
