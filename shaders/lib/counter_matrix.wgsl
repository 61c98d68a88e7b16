// Provider @counter: the vec4s of one tensor, from `first_quad` on.
fn counter_of(i: u32) -> vec2<u32> {
    return vec2<u32>(params.first_quad + i, params.ordinal);
}
