// Threefry-2x32 with 13 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): two random
// words from a key and a counter. The host's version is src/rng/threefry.rs.
fn threefry_mix(x: vec2<u32>, by: u32) -> vec2<u32> {
    let sum = x.x + x.y;
    return vec2<u32>(sum, ((x.y << by) | (x.y >> (32u - by))) ^ sum);
}

fn threefry(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
    let last = key.x ^ key.y ^ 0x1BD11BDAu;
    var x = counter + key;
    x = threefry_mix(threefry_mix(threefry_mix(threefry_mix(x, 13u), 15u), 26u), 6u);
    x += vec2<u32>(key.y, last + 1u);
    x = threefry_mix(threefry_mix(threefry_mix(threefry_mix(x, 17u), 29u), 16u), 24u);
    x += vec2<u32>(last, key.x + 2u);
    x = threefry_mix(threefry_mix(threefry_mix(threefry_mix(x, 13u), 15u), 26u), 6u);
    x += vec2<u32>(key.x, key.y + 3u);
    return threefry_mix(x, 17u);
}
