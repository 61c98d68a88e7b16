// Pack: rows into panels of 16, the operands of the matmul on panels.
//   packed[b, r / 16, k, r % 16] = rows[b, r, k]       beyond the last row, the last again
// Dispatch: one thread for four rows and four of k, 64 a workgroup, workgroups folded over x and y.

struct Params {
    rows: u32, // in each branch
    depth: u32, // k, a multiple of 4
    stride: u32, // elements between rows, a multiple of 4
    start: u32, // element of the first row, a multiple of 4
    branch: u32, // elements between the branches' rows, a multiple of 4
    branches: u32,
    packed_branch: u32, // elements between the branches' panels, a multiple of 16 * depth
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> packed: array<vec4<f32>>; // [branch, row / 16, k, row % 16]
// binding 2: the rows [branch, row, stride] (@storage)

//#use linear
//#use @storage

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Of each branch, so many blocks of four rows by four of k; those of four rows stand side by side.
    let across = params.depth / 4u;
    let blocks = (params.rows + 15u) / 16u * 4u * across;
    let i = linear_group(group, groups) * 64u + local;
    let b = i / blocks;
    if (b >= params.branches) {
        return;
    }
    let row = i % blocks / across * 4u;
    let k = i % across * 4u;
    let rows = min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(params.rows - 1u));
    let at = (vec4<u32>(params.start + b * params.branch + k) + rows * params.stride) / 4u;
    let block = transpose(mat4x4<f32>(load_quad(at.x), load_quad(at.y), load_quad(at.z), load_quad(at.w)));
    let to = b * params.packed_branch / 4u + (row / 16u * params.depth + k) * 4u + row % 16u / 4u;
    packed[to] = block[0];
    packed[to + 4u] = block[1];
    packed[to + 8u] = block[2];
    packed[to + 12u] = block[3];
}
