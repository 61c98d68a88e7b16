// The places of a norm that overwrites its input: WebGPU does not let one dispatch bind a buffer both to be read and to be written.
@group(0) @binding(1) var<storage, read_write> x: array<f32>; // [branch, token, stride]
@group(0) @binding(2) var<storage, read> vectors: array<f32>; // [branch, vector_stride]

fn load(i: u32) -> f32 {
    return x[i];
}

fn store(i: u32, value: f32) {
    x[i] = value;
}
