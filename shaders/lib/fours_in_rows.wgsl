// The threads of a workgroup in row-major order.

// The first four columns (x) and rows (y) of a thread's outputs, in units of four.
fn fours_of(thread: u32) -> vec2<u32> {
    return vec2<u32>(thread % GROUP_X, thread / GROUP_X);
}
