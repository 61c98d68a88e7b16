// Provider @operands: row-major operands whose rows consist of whole vec4s. The weights are read in their storage format
// (@storage). This is for few rows, so that each weight is read only once or twice.
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>; // [branch, row, a_stride]
// binding 2: w, frozen, [column, k] (@storage)

//#use threefry
//#use @storage
//#use operands_rows

fn load_a4(at: u32, k: u32) -> vec4<f32> {
    return a[at / 4u];
}

fn load_w4(at: u32, k: u32) -> vec4<f32> {
    return load_vec4(at / 4u);
}
