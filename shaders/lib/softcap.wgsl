// cap * tanh(x / cap). tanh is computed with exp, because the built-in function overflows to NaN on some GPUs and is inaccurate on
// others. For small x, where 1 - exp(-2x) would cancel, three terms of the series are accurate to f32.
fn softcap(x: vec4<f32>, cap: f32) -> vec4<f32> {
    let u = abs(x) / cap;
    let e = exp(-2.0 * u);
    let square = u * u;
    let small = u * (1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0)));
    return cap * sign(x) * select((1.0 - e) / (1.0 + e), small, u < vec4<f32>(0.1));
}
