// GELU, sigmoid form (quick_gelu): x * sigmoid(1.702 x). The bound keeps exp finite.
fn activate(x: f32) -> f32 {
    return x / (1.0 + exp(min(-1.702 * x, 88.0)));
}
