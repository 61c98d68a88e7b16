// Arranges the threads of a workgroup in squares of four. Each square is a quad, whose threads exchange what they load. The two
// threads in a row of the square compute the same rows, and the two in a column the same columns, so that each loads one half and
// receives the other. A quad is four consecutive lanes in every subgroup, whatever its size: 4 in SwiftShader, 32 on NVIDIA's and
// Apple's GPUs, 8 to 32 on Intel's.

// The column (x) and the row (y) of a thread.
fn place_of(thread: u32) -> vec2<u32> {
    let quad = thread / 4u;
    return vec2<u32>(quad % (GROUP_X / 2u), quad / (GROUP_X / 2u)) * 2u + vec2<u32>(thread % 2u, thread / 2u % 2u);
}

// The value of the neighbor in the same row of the square.
fn from_row(x: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(quadSwapX(x[0]), quadSwapX(x[1]), quadSwapX(x[2]), quadSwapX(x[3]));
}

// The value of the neighbor in the same column of the square.
fn from_column(x: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(quadSwapY(x[0]), quadSwapY(x[1]), quadSwapY(x[2]), quadSwapY(x[3]));
}
