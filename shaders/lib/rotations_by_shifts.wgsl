// The rotations of Threefry, and the upper half of a word, by shifts.

fn rotate_6(x: u32) -> u32 {
    return (x << 6u) | (x >> 26u);
}

fn rotate_13(x: u32) -> u32 {
    return (x << 13u) | (x >> 19u);
}

fn rotate_15(x: u32) -> u32 {
    return (x << 15u) | (x >> 17u);
}

fn rotate_16(x: u32) -> u32 {
    return (x << 16u) | (x >> 16u);
}

fn rotate_17(x: u32) -> u32 {
    return (x << 17u) | (x >> 15u);
}

fn rotate_24(x: u32) -> u32 {
    return (x << 24u) | (x >> 8u);
}

fn rotate_26(x: u32) -> u32 {
    return (x << 26u) | (x >> 6u);
}

fn rotate_29(x: u32) -> u32 {
    return (x << 29u) | (x >> 3u);
}

fn upper_half(x: u32) -> u32 {
    return x >> 16u;
}
