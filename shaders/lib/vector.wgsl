// Norms and biases: `vectors` is [branch, params.vector_stride] f32, with all of the model's norm weights and biases. Each is
// identified by the offset of its first element. NO_BIAS means that the model does not have it.
const NO_BIAS: u32 = 0xffffffffu;

fn vector_at(branch: u32, first: u32, i: u32) -> f32 {
    return vectors[branch * params.vector_stride + first + i];
}

fn vector_or_zero(branch: u32, first: u32, i: u32) -> f32 {
    if (first == NO_BIAS) {
        return 0.0;
    }
    return vector_at(branch, first, i);
}
