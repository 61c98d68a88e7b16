// Access to the attention tensors four elements at a time. The head size, the strides, the columns and the offsets of the prefix
// must be multiples of 4.
alias Element = vec4<f32>;

fn load_query(first: u32, chunk: u32) -> vec4<f32> {
    return query[first / 4u + chunk];
}

fn load_key_value(in_prefix: bool, first: u32, chunk: u32) -> vec4<f32> {
    if (PREFIXED == 1u && in_prefix) { return prefix[first / 4u + chunk]; }
    return key_value[first / 4u + chunk];
}

fn load_distance(first: u32, chunk: u32) -> vec4<f32> {
    return distances[first / 4u + chunk];
}

fn load_bias(i: u32) -> f32 {
    return distances[i / 4u][i % 4u];
}

fn store_output(first: u32, chunk: u32, value: vec4<f32>) {
    output[first / 4u + chunk] = value;
}
