//! The matmul, over ragged shapes.

use std::rc::Rc;

use super::close;
use crate::common::{both, encoded, noise};
use pocketllm::dtype::{DType, Format};
use pocketllm::gemm::tiles::{TILES, Tile};
use pocketllm::gemm::{CLASSES, Choice, Layout, Plan, Tensors};
use pocketllm::gpu::Backend;
use pocketllm::kernel::activation::Activation;
use pocketllm::kernel::{NO_BIAS, matmul, panels, storage};

/// Branches, rows, columns, depth.
type Shape = [u32; 4];

const SHAPES: &[Shape] = &[
    [1, 1, 1, 1],
    [2, 3, 1, 64],
    [2, 33, 1, 7],
    [1, 5, 64, 1],
    [2, 17, 4, 36],
    [1, 70, 8, 30],
    [2, 9, 30, 3],
    [1, 12, 65, 8],
    [3, 1, 100, 64],
    [1, 2, 33, 128],
    [2, 7, 31, 65],
    [2, 8, 36, 100],
    [1, 64, 64, 64],
    [2, 67, 130, 52],
    [1, 131, 67, 257],
];

kernel_test! {
    async fn matmuls(backend: Rc<dyn Backend>) {
        let limits = backend.limits();
        for (index, tile) in (0..).zip(TILES).filter(|(_, tile)| tile.runs(&limits)) {
            for (i, &shape) in SHAPES.iter().enumerate() {
                let (biased, added) = [(false, 0.0), (true, 0.0), (false, 1.0), (true, -2.5)][i % 4];
                // Tiles share the code that applies activations. Testing one activation per tile compiles a third of the shaders
                // that all would need.
                let activation = [None, Some(Activation::ALL[index as usize % Activation::ALL.len()])][i % 2];
                check(&backend, (index, tile), shape, (biased, activation, added)).await;
            }
        }
    }
}

kernel_test! {
    async fn few_rows_over_stored_weights(backend: Rc<dyn Backend>) {
        for (index, tile) in (0..).zip(TILES).filter(|(_, tile)| tile.outputs[0] <= 4) {
            for dtype in Format::on_device().map(|format| format.dtype).filter(|dtype| *dtype != DType::F32) {
                let (rows, columns, depth) = (3, 37, 96_u32.next_multiple_of(dtype.block_len() as u32));
                let outputs = both(&backend, |lab, recording| {
                    let a = lab.floats("a", &noise(1, rows * depth));
                    let encoded = encoded(dtype, 2, (columns + 4) * depth);
                    let words = storage::to_device(dtype, encoded);
                    let w = lab.words("w", &bytemuck::pod_collect_to_vec::<u8, u32>(&words));
                    let c = lab.unwritten("c", rows * columns);
                    let params = matmul::Params {
                        rows, columns, depth, a_stride: depth, w_start: 4 * depth, c_stride: columns,
                        bias: NO_BIAS, ..Default::default()
                    };
                    let mut plan = Plan::new(Choice { tiles: [index; CLASSES], ..Choice::default() }, None);
                    let layout = Layout::Stored(dtype);
                    let activation = Some(Activation::Gelu);
                    let tensors = Tensors { a: &a, w: (&w).into(), layout, vectors: &a, c: &c, activation };
                    plan.matmul(recording, &params, 1, &tensors);
                    vec![c]
                }).await;
                close("matmul", &format!("{} over {dtype}", tile.name), &outputs[0]);
            }
        }
    }
}

async fn check(
    backend: &Rc<dyn Backend>,
    (index, tile): (u8, &Tile),
    shape: Shape,
    (biased, activation, added): (bool, Option<Activation>, f32),
) {
    let [branches, rows, columns, depth] = shape;
    // One or all rows of w more than are used. c has columns before and after, which must not change.
    let whole = depth.is_multiple_of(4);
    let (w_start, w_branch) = (2 * depth, if branches == 2 { 0 } else { (columns + 4) * depth });
    let (a_stride, c_column, c_stride) = (depth + if whole { 8 } else { 3 }, 5, columns + 9);
    let vector_stride = columns + 7;
    let outputs = both(backend, |lab, recording| {
        let a = lab.floats("a", &noise(1, branches * rows * a_stride));
        // Scaled so that the sums are about 1.
        let scale = (3.0 / depth as f32).sqrt();
        let w: Vec<f32> = noise(2, (columns + 4) * depth * branches).iter().map(|w| w * scale).collect();
        let w = lab.floats("w", &w);
        let vectors = lab.floats("vectors", &noise(3, branches * vector_stride));
        let c = lab.floats("c", &noise(4, branches * rows * c_stride));
        let params = matmul::Params {
            rows,
            columns,
            depth,
            a_stride,
            a_branch: rows * a_stride,
            w_start,
            w_branch,
            c_stride,
            c_column,
            bias: if biased { 3 } else { NO_BIAS },
            vector_stride,
            added,
        };
        // Room for the panels of a and of 48 columns of w. If there are more columns, they are packed one block after another.
        let bytes = panels::bytes(rows, depth, branches) + 256 + panels::bytes(48, depth, branches);
        let panels = lab.unwritten("panels", (bytes / 4) as u32);
        let mut plan = Plan::new(Choice { tiles: [index; CLASSES], ..Choice::default() }, Some(panels));
        let (w, layout) = ((&w).into(), Layout::Rows);
        let tensors = Tensors { a: &a, w, layout, vectors: &vectors, c: &c, activation };
        plan.matmul(recording, &params, branches, &tensors);
        // A second matmul with the same a, whose panels may be reused.
        let again = lab.floats("again", &noise(4, branches * rows * c_stride));
        plan.matmul(recording, &params, branches, &Tensors { c: &again, ..tensors });
        vec![c, again]
    })
    .await;
    let name = format!(
        "{} {branches} x {rows} x {columns} x {depth}, bias {biased}, {activation:?}, added {added}",
        tile.name
    );
    close(if tile.half() { "matmul in f16" } else { "matmul" }, &name, &outputs[0]);
    assert_eq!(outputs[0].0, outputs[1].0, "{name}: the same twice");
}
