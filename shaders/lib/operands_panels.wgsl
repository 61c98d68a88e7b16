// Provider @operands: panels, one of k at a time: for a compiler that keeps sums in registers from one to the next.

//#use panels

const K_STEP: u32 = 1u;
alias Operand = vec4<f32>;

fn load_a(at: Start, k: u32) -> Operand {
    return a[at + k * 4u];
}

fn load_w(at: Start, k: u32) -> Operand {
    return w[at + k * 4u];
}

fn product(a: Operand, w: Operand) -> mat4x4<f32> {
    return mat4x4<f32>(a.x * w, a.y * w, a.z * w, a.w * w);
}
