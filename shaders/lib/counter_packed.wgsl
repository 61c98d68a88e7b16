// Provider @counter: many small tensors side by side, each quad with its own counter.
@group(0) @binding(4) var<storage, read> counters: array<vec2<u32>>; // [quad] (index in its tensor, ordinal)

fn counter_of(i: u32) -> vec2<u32> {
    return counters[i];
}
