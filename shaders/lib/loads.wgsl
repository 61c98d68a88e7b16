// The loads of the threads that share a tile, for one step: STEP vec4s of each of the tile's rows and columns.
//   LOADERS: the number of threads; A_LOADS, W_LOADS: the number of vec4s that each of them loads, at most four

// A thread's loads for one step: at most four vec4s of each operand.
struct Loads {
    x0: vec4<f32>,
    x1: vec4<f32>,
    x2: vec4<f32>,
    x3: vec4<f32>,
}

fn load_a_at(b: u32, first: u32, k: u32, index: u32) -> vec4<f32> {
    let at = k + index % STEP * 4u;
    if (at >= params.depth) { return vec4<f32>(); }
    return load_a4(a_start(b, first + index / STEP).x + at, at);
}

fn load_w_at(b: u32, first: u32, k: u32, index: u32) -> vec4<f32> {
    let at = k + index % STEP * 4u;
    if (at >= params.depth) { return vec4<f32>(); }
    return load_w4(w_start(b, first + index / STEP).x + at, at);
}

fn loads_a(b: u32, first: u32, k: u32, thread: u32) -> Loads {
    var loads = Loads();
    loads.x0 = load_a_at(b, first, k, thread);
    if (A_LOADS > 1u) { loads.x1 = load_a_at(b, first, k, thread + LOADERS); }
    if (A_LOADS > 2u) { loads.x2 = load_a_at(b, first, k, thread + 2u * LOADERS); }
    if (A_LOADS > 3u) { loads.x3 = load_a_at(b, first, k, thread + 3u * LOADERS); }
    return loads;
}

fn loads_w(b: u32, first: u32, k: u32, thread: u32) -> Loads {
    var loads = Loads();
    loads.x0 = load_w_at(b, first, k, thread);
    if (W_LOADS > 1u) { loads.x1 = load_w_at(b, first, k, thread + LOADERS); }
    if (W_LOADS > 2u) { loads.x2 = load_w_at(b, first, k, thread + 2u * LOADERS); }
    if (W_LOADS > 3u) { loads.x3 = load_w_at(b, first, k, thread + 3u * LOADERS); }
    return loads;
}
