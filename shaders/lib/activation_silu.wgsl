// SiLU: x * sigmoid(x). The bound keeps exp finite.
fn activate(x: f32) -> f32 {
    return x / (1.0 + exp(min(-x, 88.0)));
}
