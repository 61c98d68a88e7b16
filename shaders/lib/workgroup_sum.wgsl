// The sum of `value` over a workgroup of WORKGROUP (64) invocations. The order of additions is always the same: eight sums of eight,
// then the sum of these. A tree would have twice as many barriers, and on a software GPU a barrier costs more than the loads.
// It must be called in uniform control flow.
var<workgroup> partial_sums: array<f32, WORKGROUP>;
var<workgroup> sums_of_eight: array<f32, 8>;

fn workgroup_sum(local: u32, value: f32) -> f32 {
    partial_sums[local] = value;
    // After this barrier, the previous result has been read.
    workgroupBarrier();
    if (local < 8u) {
        var sum = 0.0;
        for (var i = 0u; i < 8u; i++) {
            sum += partial_sums[local * 8u + i];
        }
        sums_of_eight[local] = sum;
    }
    workgroupBarrier();
    return ((sums_of_eight[0] + sums_of_eight[1]) + (sums_of_eight[2] + sums_of_eight[3]))
        + ((sums_of_eight[4] + sums_of_eight[5]) + (sums_of_eight[6] + sums_of_eight[7]));
}
