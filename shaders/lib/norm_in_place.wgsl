// The input and output of a norm that overwrites its input. WebGPU does not allow one dispatch to
// bind a buffer for both reading and writing in two bindings.
@group(0) @binding(1) var<storage, read_write> x: array<f32>; // [branch, token, stride]
@group(0) @binding(2) var<storage, read> vectors: array<f32>; // [branch, vector_stride]

fn load(i: u32) -> f32 {
    return x[i];
}

fn store(i: u32, value: f32) {
    x[i] = value;
}
