// The 6-bit scale (x) and minimum (y) of part `part` of a block of ggml's Q4_K or Q5_K, whose 12 bytes are in three words. Bytes 0
// to 3 have the scales of parts 0 to 3 in their low 6 bits, and bytes 4 to 7 have the minima. Bytes 8 to 11 have the low 4 bits of
// the scales and minima of parts 4 to 7, whose high 2 bits are at the top of bytes 0 to 7.
fn scale_and_minimum(words: vec3<u32>, part: u32) -> vec2<f32> {
    let bytes = words >> vec3<u32>(part % 4u * 8u);
    let first = bytes.xy & vec2<u32>(63u);
    let second = ((vec2<u32>(bytes.z) >> vec2<u32>(0u, 4u)) & vec2<u32>(15u)) | ((bytes.xy >> vec2<u32>(2u)) & vec2<u32>(48u));
    return vec2<f32>(select(second, first, part < 4u));
}
