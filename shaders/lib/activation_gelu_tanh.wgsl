// GELU, tanh form: x/2 * (1 + tanh(u)) with u = sqrt(2/pi) * (x + 0.044715 x^3), written as x * sigmoid(2u), because tanh overflows
// to NaN on some GPUs and is inaccurate on others. The bound keeps exp finite.
fn activate(x: f32) -> f32 {
    let u = 0.7978845608 * (x + 0.044715 * x * x * x);
    return x / (1.0 + exp(min(-2.0 * u, 88.0)));
}
