// The values of ggml's IQ4_NL and IQ4_XS for four 4-bit quants: -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69,
// 89, 113, as bytes of four words. Selecting among words keeps the table in registers, whereas an indexed array would be in memory.
fn iq4(quants: vec4<u32>) -> vec4<f32> {
    let odd = (quants & vec4<u32>(4u)) != vec4<u32>(0u);
    let low = select(vec4<u32>(0xbfad9881u), vec4<u32>(0xf6eaddcfu), odd);
    let high = select(vec4<u32>(0x26190d01u), vec4<u32>(0x71594535u), odd);
    let word = select(low, high, quants >= vec4<u32>(8u));
    // Shifts the byte to the top, and back down with its sign.
    let top = word << (vec4<u32>(24u) - (quants & vec4<u32>(3u)) * vec4<u32>(8u));
    return vec4<f32>(bitcast<vec4<i32>>(top) >> vec4<u32>(24u));
}
