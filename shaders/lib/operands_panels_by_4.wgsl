// Provider @operands: panels, four k at a time, for compilers that write sums back to memory in each iteration.

//#use panels

const K_STEP: u32 = 4u;
alias Operand = mat4x4<f32>; // a column for each k

fn load_a(at: Start, k: u32) -> Operand {
    let i = at + k * 4u;
    return mat4x4<f32>(a[i], a[i + 4u], a[i + 8u], a[i + 12u]);
}

fn load_w(at: Start, k: u32) -> Operand {
    let i = at + k * 4u;
    return mat4x4<f32>(w[i], w[i + 4u], w[i + 8u], w[i + 12u]);
}

fn product(a: Operand, w: Operand) -> mat4x4<f32> {
    return w * transpose(a);
}
