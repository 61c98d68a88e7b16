// The rotations of Threefry, and the upper half of a word, without shifts, for a software GPU that computes the shifts of a vector one
// component at a time (SwiftShader). Multiplications shift to the left, and floating-point numbers to the right.
// Each rotation has its own function, because masks and factors that depend on an argument would have to be computed by shifts.

// Shifts to the right by n bits. All bits of `x` below bit n are 0, and `scale` is 2^-n. Only the lowest 22 bits of the result are valid,
// so callers mask it. `x` as a signed integer is k * 2^n with |k| <= 2^21, so the conversion and the product are exact. The sum with
// 1.5 * 2^23 is exact too, and its lowest 22 bits are those of k.
fn shifted(x: u32, scale: f32) -> u32 {
    return bitcast<u32>(f32(bitcast<i32>(x)) * scale + 0x1.8p23f);
}

fn upper_half(x: u32) -> u32 {
    return shifted(x & 0xffff0000u, 0x1p-16f) & 0xffffu;
}

fn rotate_6(x: u32) -> u32 {
    return (x * 0x40u) | (shifted(x & 0xfc000000u, 0x1p-26f) & 0x3fu);
}

fn rotate_13(x: u32) -> u32 {
    return (x * 0x2000u) | (shifted(x & 0xfff80000u, 0x1p-19f) & 0x1fffu);
}

fn rotate_15(x: u32) -> u32 {
    return (x * 0x8000u) | (shifted(x & 0xfffe0000u, 0x1p-17f) & 0x7fffu);
}

fn rotate_16(x: u32) -> u32 {
    return (x * 0x10000u) | upper_half(x);
}

fn rotate_17(x: u32) -> u32 {
    return (x * 0x20000u) | (shifted(x & 0xffff8000u, 0x1p-15f) & 0x1ffffu);
}

fn rotate_24(x: u32) -> u32 {
    return (x * 0x1000000u) | (upper_half(x) * 0x100u) | (shifted(x & 0xff00u, 0x1p-8f) & 0xffu);
}

fn rotate_26(x: u32) -> u32 {
    return (x * 0x4000000u) | (upper_half(x) * 0x400u) | (shifted(x & 0xffc0u, 0x1p-6f) & 0x3ffu);
}

fn rotate_29(x: u32) -> u32 {
    return (x * 0x20000000u) | (upper_half(x) * 0x2000u) | (shifted(x & 0xfff8u, 0x1p-3f) & 0x1fffu);
}
