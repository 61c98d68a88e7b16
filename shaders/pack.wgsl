// Pack: copies rows into panels of 16, the operands of the matmul on panels.
//   packed[b, r / 16, k, r % 16] = rows[b, r, k]       beyond the end, the last row is repeated
// Dispatch: a thread copies four rows and four k, and a workgroup of 64 copies a panel and 64 k; x: k, y: panels, z: branch.

struct Params {
    rows: u32, // in each branch
    depth: u32, // k, a multiple of 4
    stride: u32, // elements between rows, a multiple of 4
    start: u32, // element of the first row, a multiple of 4
    branch: u32, // elements between the branches' rows, a multiple of 4
    packed_branch: u32, // elements between the branches' panels, a multiple of 16 * depth
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> packed: array<vec4<f32>>; // [branch, row / 16, k, row % 16]
// binding 2: the rows [branch, row, stride] (@storage)

//#use @storage

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let b = group.z;
    let row = group.y * 16u + local % 4u * 4u;
    let k = (group.x * 16u + local / 4u) * 4u;
    if (k >= params.depth) {
        return;
    }
    let rows = min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(params.rows - 1u));
    let at = (vec4<u32>(params.start + b * params.branch + k) + rows * params.stride) / 4u;
    let block = transpose(mat4x4<f32>(load_vec4(at.x), load_vec4(at.y), load_vec4(at.z), load_vec4(at.w)));
    let to = b * params.packed_branch / 4u + (group.y * params.depth + k) * 4u + local % 4u;
    packed[to] = block[0];
    packed[to + 4u] = block[1];
    packed[to + 8u] = block[2];
    packed[to + 12u] = block[3];
}
