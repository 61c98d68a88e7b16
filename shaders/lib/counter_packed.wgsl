// Provider @counter: many small tensors in one buffer, where each vec4 has its own counter.
@group(0) @binding(4) var<storage, read> counters: array<vec2<u32>>; // [vec4] (index in its tensor, ordinal)

fn counter_of(i: u32) -> vec2<u32> {
    return counters[i];
}
