// max(x, 0); a NaN stays a NaN, so that a loss shows it.
fn activate(x: f32) -> f32 {
    return select(x, 0.0, x < 0.0);
}
