// The sum over a row, computed by THREADS adjacent invocations in a workgroup of 64. The order of additions is always the same. It
// must be called in uniform control flow.
const THREADS: u32 = 16u;
const ROWS: u32 = 4u;

var<workgroup> partial_sums: array<f32, 64>;

fn row_sum(local: u32, value: f32) -> f32 {
    // Other invocations may still be reading the previous result.
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
