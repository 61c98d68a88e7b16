// Provider @rows: operands of any width; beyond a row's end there are zeros.
@group(0) @binding(1) var<storage, read> a: array<f32>; // [branch, row, a_stride]
@group(0) @binding(2) var<storage, read> w: array<f32>; // [branch, column, k]

fn load_a4(start: u32, k: u32) -> vec4<f32> {
    var x = vec4<f32>();
    for (var j = 0u; j < 4u; j++) {
        if (k + j < params.depth) {
            x[j] = a[start + k + j];
        }
    }
    return x;
}

fn load_w4(start: u32, k: u32) -> vec4<f32> {
    var x = vec4<f32>();
    for (var j = 0u; j < 4u; j++) {
        if (k + j < params.depth) {
            x[j] = w[start + k + j];
        }
    }
    return x;
}
