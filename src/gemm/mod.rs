//! How matmuls are computed: the tile configurations of `shaders/matmul.wgsl`, the layouts of their operands, the choice of a tile
//! for each shape class, and the tuner that measures them.
//!
//! The forward pass has a [`Plan`]. It asks the plan for the [`Layout`] that the weights of a matmul should have, writes them in
//! this layout, and has the plan record the matmul. One matmul becomes one or several dispatches, which pack operands and multiply
//! blocks of columns.

mod choice;
mod layout;
mod plan;
pub mod tiles;
pub mod tuner;

pub use choice::{CLASSES, Choice};
pub use layout::Layout;
pub use plan::{Plan, Tensors};
