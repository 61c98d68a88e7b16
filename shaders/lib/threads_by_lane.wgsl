// Provider @threads: the entry point for a tile whose threads exchange values within a subgroup or a quad. It numbers the threads
// of a workgroup so that the lanes of a subgroup have consecutive numbers, and passes the number as local.x. WGSL guarantees no
// relation between local_invocation_index and the lanes. With subgroup_id, which Chrome supports since version 144, the counter
// would be unnecessary.

enable subgroups;

var<workgroup> numbered: atomic<u32>; // number of threads numbered so far

@compute @workgroup_size(GROUP_X * GROUP_Y)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    if (index == 0u) { atomicStore(&numbered, 0u); }
    workgroupBarrier();
    let lanes = subgroupAdd(1u);
    var first = 0u;
    if (lane == 0u) { first = atomicAdd(&numbered, lanes); }
    make_tile(group, vec3<u32>(subgroupBroadcast(first, 0u) + lane, 0u, 0u));
}
