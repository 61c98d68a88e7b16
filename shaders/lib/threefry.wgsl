// Threefry-2x32 with 13 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): two random
// words from a key and a counter. The host's version is src/rng/threefry.rs.

//#use @rotations

fn threefry_mix(x: vec2<u32>, rotated: u32) -> vec2<u32> {
    let sum = x.x + x.y;
    return vec2<u32>(sum, rotated ^ sum);
}

fn threefry(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
    let last = key.x ^ key.y ^ 0x1BD11BDAu;
    var x = counter + key;
    x = threefry_mix(x, rotate_13(x.y));
    x = threefry_mix(x, rotate_15(x.y));
    x = threefry_mix(x, rotate_26(x.y));
    x = threefry_mix(x, rotate_6(x.y));
    x += vec2<u32>(key.y, last + 1u);
    x = threefry_mix(x, rotate_17(x.y));
    x = threefry_mix(x, rotate_29(x.y));
    x = threefry_mix(x, rotate_16(x.y));
    x = threefry_mix(x, rotate_24(x.y));
    x += vec2<u32>(last, key.x + 2u);
    x = threefry_mix(x, rotate_13(x.y));
    x = threefry_mix(x, rotate_15(x.y));
    x = threefry_mix(x, rotate_26(x.y));
    x = threefry_mix(x, rotate_6(x.y));
    x += vec2<u32>(key.x, key.y + 3u);
    x = threefry_mix(x, rotate_17(x.y));
    return x;
}
