// GELU: x/2 * (1 + erf(x / sqrt(2))), written as max(x, 0) - |x|/2 * erfc(|x| / sqrt(2)): 1 + erf would cancel for negative x.
// erfc to 1.2e-7 relatively (Numerical Recipes, erfcc); beyond 12 it is 0 in f32.
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
    // Not max: a NaN stays a NaN.
    return select(x, 0.0, x < 0.0) - 0.5 * abs(x) * t * exp(p - z * z);
}
