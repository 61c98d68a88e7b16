//! Weights in panels: the same values as in rows, in the order that a packed matmul expects.

use std::rc::Rc;

use crate::common::{Lab, both, encoded, noise};
use pocketllm::dtype::{DType, Format};
use pocketllm::gemm::Layout;
use pocketllm::gpu::{Backend, Buffer, Recording};
use pocketllm::kernel::step::{Branch, MAX_BYTES};
use pocketllm::kernel::{dequantize, materialize, storage};
use pocketllm::zo::random::Distribution;
use pocketllm::zo::update;

const BRANCHES: u32 = 2;

/// Converts panels `[row / 16, k, row % 16]` to rows.
fn rows_of(panels: &[u32], rows: u32, width: u32) -> Vec<u32> {
    let place = |row: u32, k: u32| (row / 16 * width + k) * 16 + row % 16;
    (0..rows).flat_map(|row| (0..width).map(move |k| panels[place(row, k) as usize])).collect()
}

/// Weights whose first four rows are not used.
fn stored(lab: &Lab<'_>, dtype: DType, rows: u32, width: u32) -> Buffer {
    let encoded = encoded(dtype, 1, (rows + 4) * width);
    lab.words("stored", &bytemuck::pod_collect_to_vec::<u8, u32>(&storage::to_device(dtype, encoded)))
}

fn dequantized(lab: &Lab<'_>, r: &mut Recording, dtype: DType, rows: u32, width: u32, to: Layout) -> Buffer {
    let y = lab.unwritten("dequantized", to.vec4s(rows, width) * 4);
    let vec4s = Layout::Rows.vec4s(rows, width);
    let params =
        dequantize::Params { vec4s, first_stored: width, branch_stride: 0, across: to.across(width) };
    dequantize::record(r, dtype, &params, &stored(lab, dtype, rows, width), &y);
    y
}

fn materialized(lab: &Lab<'_>, r: &mut Recording, dtype: DType, rows: u32, width: u32, to: Layout) -> Buffer {
    let branches = [Branch::along([1, 2]), Branch::along([1, 2]).opposite()];
    let mut step = update::step(&[], &branches, 1e-3, Distribution::Gaussian).to_bytes();
    step.resize(MAX_BYTES as usize, 0);
    let step = lab.words("step", &bytemuck::pod_collect_to_vec::<u8, u32>(&step));
    let branch_stride = to.vec4s(rows, width);
    let y = lab.unwritten("materialized", branch_stride * 4 * BRANCHES);
    let params = materialize::Params {
        vec4s: Layout::Rows.vec4s(rows, width),
        first_stored: width,
        first_vec4: width,
        branches: BRANCHES,
        branch_stride,
        across: to.across(width),
        ..Default::default()
    };
    materialize::record_matrix(r, dtype, &params, &step, &stored(lab, dtype, rows, width), &y);
    y
}

/// The weights as a step prepares them for a matmul: materialized if they are trainable, otherwise dequantized.
fn for_matmul(lab: &Lab<'_>, r: &mut Recording, dtype: DType, rows: u32, width: u32, to: Layout) -> Buffer {
    match dtype.format().trainable {
        true => materialized(lab, r, dtype, rows, width, to),
        false => dequantized(lab, r, dtype, rows, width, to),
    }
}

kernel_test! {
    async fn panels_hold_what_rows_hold(backend: Rc<dyn Backend>) {
        for (rows, width) in [(1_u32, 4_u32), (15, 32), (16, 64), (37, 96), (64, 20), (3, 256), (17, 512)] {
            for dtype in Format::on_device().map(|format| format.dtype) {
                if !width.is_multiple_of(dtype.block_len() as u32) {
                    continue;
                }
                let name = format!("{rows} x {width} of {dtype}");
                let branches = if dtype.is_quantized() { 1 } else { BRANCHES };
                let outputs = both(&backend, |lab, r| {
                    [Layout::Rows, Layout::Panels].map(|to| for_matmul(lab, r, dtype, rows, width, to)).to_vec()
                }).await;
                let [(in_rows, host_rows), (in_panels, host_panels)] = &outputs[..] else { panic!() };
                assert!(in_rows == host_rows && in_panels == host_panels, "{name}: device and host differ");
                for b in 0..branches {
                    let stride = |to: Layout| (to.vec4s(rows, width) * 4) as usize;
                    let in_rows = &in_rows[b as usize * stride(Layout::Rows)..][..(rows * width) as usize];
                    let in_panels = &in_panels[b as usize * stride(Layout::Panels)..];
                    assert!(rows_of(in_panels, rows, width) == in_rows, "{name}: panels and rows differ");
                }
            }
        }
    }
}

kernel_test! {
    async fn frozen_f32_is_packed(backend: Rc<dyn Backend>) {
        let (rows, width) = (37, 20);
        let outputs = both(&backend, |lab, r| {
            vec![dequantized(lab, r, DType::F32, rows, width, Layout::Panels)]
        }).await;
        let words: Vec<u32> = noise(1, (rows + 4) * width).iter().map(|w| w.to_bits()).collect();
        assert!(outputs[0].0 == outputs[0].1, "device and host differ");
        assert!(rows_of(&outputs[0].0, rows, width) == words[(4 * width) as usize..], "panels and rows differ");
    }
}
