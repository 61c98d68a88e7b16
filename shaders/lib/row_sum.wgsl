// Sums over a row, whose THREADS invocations stand side by side in a workgroup of 64: always added in the same order.
// To be called in uniform control flow.
const THREADS: u32 = 16u;
const ROWS: u32 = 4u;

var<workgroup> partial_sums: array<f32, 64>;

fn row_sum(local: u32, value: f32) -> f32 {
    // The result of the call before may still be being read.
    workgroupBarrier();
    partial_sums[local] = value;
    workgroupBarrier();
    let first = local / THREADS * THREADS;
    var sum = 0.0;
    for (var i = 0u; i < THREADS; i++) {
        sum += partial_sums[first + i];
    }
    return sum;
}
