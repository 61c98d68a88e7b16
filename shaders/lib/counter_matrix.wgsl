// Provider @counter: the vec4s of one tensor, starting at `first_vec4`.
fn counter_of(i: u32) -> vec2<u32> {
    return vec2<u32>(params.first_vec4 + i, params.ordinal);
}
