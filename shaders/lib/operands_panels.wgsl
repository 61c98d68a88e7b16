// Provider @operands: panels, one k at a time, for compilers that keep sums in registers between iterations.

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
