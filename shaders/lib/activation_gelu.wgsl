// GELU: x/2 * (1 + erf(x / sqrt(2))), written as max(x, 0) - |x|/2 * erfc(|x| / sqrt(2)), because 1 + erf cancels for negative x.
// erfc has a relative error of 1.2e-7 (Numerical Recipes, erfcc), and is 0 in f32 beyond 12.
fn activate(x: f32) -> f32 {
    let z = min(abs(x) * 0.7071067812, 12.0);
    let t = 1.0 / (1.0 + 0.5 * z);
    var p = 0.17087277;
    p = p * t - 0.82215223;
    p = p * t + 1.48851587;
    p = p * t - 1.13520398;
    p = p * t + 0.27886807;
    p = p * t - 0.18628806;
    p = p * t + 0.09678418;
    p = p * t + 0.37409196;
    p = p * t + 1.00002368;
    p = p * t - 1.26551223;
    // Not max, so that NaN is preserved.
    return select(x, 0.0, x < 0.0) - 0.5 * abs(x) * t * exp(p - z * z);
}
