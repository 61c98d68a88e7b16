// Provider @operands: row-major operands of any width, with zeros beyond the end of a row.
@group(0) @binding(1) var<storage, read> a: array<f32>; // [branch, row, a_stride]
@group(0) @binding(2) var<storage, read> w: array<f32>; // [branch, column, k]

//#use operands_rows

fn load_a4(at: u32, k: u32) -> vec4<f32> {
    var x = vec4<f32>();
    for (var j = 0u; j < 4u; j++) {
        if (k + j < params.depth) {
            x[j] = a[at + j];
        }
    }
    return x;
}

fn load_w4(at: u32, k: u32) -> vec4<f32> {
    var x = vec4<f32>();
    for (var j = 0u; j < 4u; j++) {
        if (k + j < params.depth) {
            x[j] = w[at + j];
        }
    }
    return x;
}
