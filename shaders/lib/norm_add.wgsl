// The input and output of a norm whose result is added to the output.
@group(0) @binding(1) var<storage, read> x: array<f32>; // [branch, token, stride]
@group(0) @binding(2) var<storage, read> vectors: array<f32>; // [branch, vector_stride]
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [branch, token, stride]

fn load(i: u32) -> f32 {
    return x[i];
}

fn store(i: u32, value: f32) {
    y[i] += value;
}
