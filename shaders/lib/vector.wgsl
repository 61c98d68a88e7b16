// Small parameters: `vectors` is [branch, params.vector_stride] f32, all of the model's vectors side by side, and a
// vector is known by the offset of its first element; NO_VECTOR stands for one that the model does not have.
const NO_VECTOR: u32 = 0xffffffffu;

fn vector_at(branch: u32, first: u32, i: u32) -> f32 {
    return vectors[branch * params.vector_stride + first + i];
}

fn vector_or_zero(branch: u32, first: u32, i: u32) -> f32 {
    if (first == NO_VECTOR) {
        return 0.0;
    }
    return vector_at(branch, first, i);
}
