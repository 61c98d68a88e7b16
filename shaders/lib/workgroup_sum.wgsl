// The sum of `value` over a workgroup of WORKGROUP (a power of two) invocations, always added in the same order.
// To be called in uniform control flow.
var<workgroup> partial_sums: array<f32, WORKGROUP>;

fn workgroup_sum(local: u32, value: f32) -> f32 {
    // The result of the call before may still be being read.
    workgroupBarrier();
    partial_sums[local] = value;
    for (var reach = WORKGROUP / 2u; reach > 0u; reach /= 2u) {
        workgroupBarrier();
        if (local < reach) {
            partial_sums[local] += partial_sums[local + reach];
        }
    }
    workgroupBarrier();
    return partial_sums[0];
}
