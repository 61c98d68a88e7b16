// Access to attention's tensors four elements at a time, where the head size, the strides and the columns are multiples of 4.
alias Element = vec4<f32>;

fn load_query(first: u32, chunk: u32) -> vec4<f32> {
    return query[first / 4u + chunk];
}

fn load_key_value(first: u32, chunk: u32) -> vec4<f32> {
    return key_value[first / 4u + chunk];
}

fn store_output(first: u32, chunk: u32, value: vec4<f32>) {
    output[first / 4u + chunk] = value;
}
