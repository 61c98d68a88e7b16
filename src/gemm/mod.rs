//! How matmuls are computed: the tile configurations of `shaders/matmul.wgsl`, the layouts of their operands, which
//! of them each shape class uses, and the tuner that measures them.
//!
//! The forward pass has a [`Plan`]. It asks the plan for the [`Layout`] that the weights of a matmul should have, writes them
//! so, and has the plan record the matmul. One matmul becomes one dispatch or several: packing of operands, and products of
//! blocks of columns.

mod choice;
mod layout;
mod plan;
pub mod tiles;
pub mod tuner;

pub use choice::{CLASSES, Choice};
pub use layout::Layout;
pub use plan::{Plan, Tensors};
