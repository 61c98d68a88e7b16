// Converts between f16 and f32 in integer arithmetic. This is exact on every device, also for subnormals, which built-in conversions
// may flush to 0. Infinities and NaNs are never stored.
fn from_half(h: vec4<u32>) -> vec4<f32> {
    let magnitude = h & vec4<u32>(0x7fffu);
    let subnormal = bitcast<vec4<u32>>(vec4<f32>(magnitude) * 5.9604644775390625e-8); // 2^-24
    let normal = (magnitude << vec4<u32>(13u)) + vec4<u32>(0x38000000u);
    let value = select(normal, subnormal, magnitude < vec4<u32>(0x400u));
    return bitcast<vec4<f32>>(value | ((h & vec4<u32>(0x8000u)) << vec4<u32>(16u)));
}

// Stochastic rounding: 16 random bits decide whether a value is rounded up. Exactly representable values do not change. Values
// beyond the range of f16 become its largest value.
fn to_half(x: vec4<f32>, random: vec4<u32>) -> vec4<u32> {
    let bits = bitcast<vec4<u32>>(x);
    let magnitude = bits & vec4<u32>(0x7fffffffu);
    let exponent = magnitude >> vec4<u32>(23u);
    // For a normal result, 13 bits of the significand are dropped; for a subnormal one, more.
    let normal = ((magnitude + (random >> vec4<u32>(3u))) >> vec4<u32>(13u)) - vec4<u32>(0x1c000u);
    let drop = vec4<u32>(126u) - min(exponent, vec4<u32>(112u));
    let scaled = select(
        random << (max(drop, vec4<u32>(16u)) - vec4<u32>(16u)),
        random >> (vec4<u32>(16u) - min(drop, vec4<u32>(16u))),
        drop < vec4<u32>(16u),
    );
    let significand = (magnitude & vec4<u32>(0x7fffffu)) | vec4<u32>(0x800000u);
    let kept = (significand + scaled) >> min(drop, vec4<u32>(31u));
    let subnormal = select(kept, vec4<u32>(0u), drop > vec4<u32>(31u));
    let half = select(normal, subnormal, exponent < vec4<u32>(113u));
    return min(half, vec4<u32>(0x7bffu)) | ((bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u));
}
