// Access to the attention tensors element by element, for any head size and layout. A load returns four elements, starting at
// `first` + 4 * chunk, with zeros beyond HEAD_DIM.
alias Element = f32;

fn load_query(first: u32, chunk: u32) -> vec4<f32> {
    let i = first + chunk * 4u;
    var value = vec4<f32>(query[i], 0.0, 0.0, 0.0);
    if (chunk * 4u + 1u < HEAD_DIM) { value.y = query[i + 1u]; }
    if (chunk * 4u + 2u < HEAD_DIM) { value.z = query[i + 2u]; }
    if (chunk * 4u + 3u < HEAD_DIM) { value.w = query[i + 3u]; }
    return value;
}

fn key_value_at(in_prefix: bool, i: u32) -> f32 {
    if (PREFIXED == 1u && in_prefix) { return prefix[i]; }
    return key_value[i];
}

fn load_key_value(in_prefix: bool, first: u32, chunk: u32) -> vec4<f32> {
    let i = first + chunk * 4u;
    var value = vec4<f32>(key_value_at(in_prefix, i), 0.0, 0.0, 0.0);
    if (chunk * 4u + 1u < HEAD_DIM) { value.y = key_value_at(in_prefix, i + 1u); }
    if (chunk * 4u + 2u < HEAD_DIM) { value.z = key_value_at(in_prefix, i + 2u); }
    if (chunk * 4u + 3u < HEAD_DIM) { value.w = key_value_at(in_prefix, i + 3u); }
    return value;
}

fn load_distance(first: u32, chunk: u32) -> vec4<f32> {
    let i = first + chunk * 4u;
    var value = vec4<f32>(distances[i], 0.0, 0.0, 0.0);
    if (chunk * 4u + 1u < HEAD_DIM) { value.y = distances[i + 1u]; }
    if (chunk * 4u + 2u < HEAD_DIM) { value.z = distances[i + 2u]; }
    if (chunk * 4u + 3u < HEAD_DIM) { value.w = distances[i + 3u]; }
    return value;
}

fn load_bias(i: u32) -> f32 {
    return distances[i];
}

fn store_output(first: u32, chunk: u32, value: vec4<f32>) {
    let i = first + chunk * 4u;
    output[i] = value.x;
    if (chunk * 4u + 1u < HEAD_DIM) { output[i + 1u] = value.y; }
    if (chunk * 4u + 2u < HEAD_DIM) { output[i + 2u] = value.z; }
    if (chunk * 4u + 3u < HEAD_DIM) { output[i + 3u] = value.w; }
}
