// Provider @operands: row-major operands whose rows start at a vec4 and consist of whole vec4s.
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>; // [branch, row, a_stride]
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>; // [branch, column, k]

//#use operands_rows

fn load_a4(at: u32, k: u32) -> vec4<f32> {
    return a[at / 4u];
}

fn load_w4(at: u32, k: u32) -> vec4<f32> {
    return w[at / 4u];
}
