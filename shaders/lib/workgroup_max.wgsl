// The largest `value` over a workgroup of WORKGROUP (a power of two) invocations. It must be called in uniform control flow.
var<workgroup> partial_max: array<f32, WORKGROUP>;

fn workgroup_max(local: u32, value: f32) -> f32 {
    // Other invocations may still be reading the previous result.
    workgroupBarrier();
    partial_max[local] = value;
    for (var reach = WORKGROUP / 2u; reach > 0u; reach /= 2u) {
        workgroupBarrier();
        if (local < reach) {
            partial_max[local] = max(partial_max[local], partial_max[local + reach]);
        }
    }
    workgroupBarrier();
    return partial_max[0];
}
