// Attention in registers. It computes the same as attention.wgsl, but without workgroup memory and barriers, which are slow on a
// software GPU. An invocation processes 8 queries of a head with 16 keys at a time, in blocks of 4 x 4, and keeps its outputs.
// Dispatch: [ceil(tokens / 128), heads, branches] workgroups of 16; HEAD_DIM at most 128.

const WORKGROUP: u32 = 16u;

//#use attention

// Four queries.
struct Queries {
    at: vec4<u32>, // the start of their rows
    first: vec4<u32>, // the keys that they attend to
    end: vec4<u32>,
}

fn queries(branch: u32, head: u32, token: u32) -> Queries {
    let tokens = min(token + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.tokens - 1u));
    let seen = array<vec2<u32>, 4>(spans[tokens.x], spans[tokens.y], spans[tokens.z], spans[tokens.w]);
    return Queries(
        (branch * params.tokens + tokens) * params.q_stride + head * HEAD_DIM,
        vec4<u32>(seen[0].x, seen[1].x, seen[2].x, seen[3].x),
        vec4<u32>(seen[0].y, seen[1].y, seen[2].y, seen[3].y),
    );
}

fn least(x: vec4<u32>) -> u32 {
    return min(min(x.x, x.y), min(x.z, x.w));
}

fn most(x: vec4<u32>) -> u32 {
    return max(max(x.x, x.y), max(x.z, x.w));
}

// The state of the online softmax of four queries after a tile of keys.
struct Softmax {
    maximum: vec4<f32>,
    total: vec4<f32>,
    factor: vec4<f32>, // the factor of the outputs so far
    weights: array<mat4x4<f32>, 4>, // [key / 4], a column for each key: exp(score - maximum)
}

// The place of four consecutive queries in the batch.
struct Place {
    branch: u32,
    head: u32,
    token: u32, // the first one
}

fn distant(products: vec4<f32>, place: Place, key: u32) -> vec4<f32> {
    return with_distances(scaled_scores(products), place.branch, place.head, place.token + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(key));
}

fn seen(scores: mat4x4<f32>, place: Place, key: u32, first: vec4<u32>, end: vec4<u32>) -> mat4x4<f32> {
    let lowest = vec4<f32>(LOWEST);
    let keys = key + vec4<u32>(0u, 1u, 2u, 3u);
    return mat4x4<f32>(
        select(lowest, distant(scores[0], place, keys.x), (keys.xxxx >= first) & (keys.xxxx < end)),
        select(lowest, distant(scores[1], place, keys.y), (keys.yyyy >= first) & (keys.yyyy < end)),
        select(lowest, distant(scores[2], place, keys.z), (keys.zzzz >= first) & (keys.zzzz < end)),
        select(lowest, distant(scores[3], place, keys.w), (keys.wwww >= first) & (keys.wwww < end)),
    );
}

fn largest(x: mat4x4<f32>) -> vec4<f32> {
    return max(max(x[0], x[1]), max(x[2], x[3]));
}

fn exponentials(x: mat4x4<f32>, reference: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(exp(x[0] - reference), exp(x[1] - reference), exp(x[2] - reference), exp(x[3] - reference));
}

fn sum_of(x: mat4x4<f32>) -> vec4<f32> {
    return (x[0] + x[1]) + (x[2] + x[3]);
}

fn softmax(before: Softmax, scores: array<mat4x4<f32>, 4>, place: Place, key: u32, first: vec4<u32>, end: vec4<u32>) -> Softmax {
    let s0 = seen(scores[0], place, key, first, end);
    let s1 = seen(scores[1], place, key + 4u, first, end);
    let s2 = seen(scores[2], place, key + 8u, first, end);
    let s3 = seen(scores[3], place, key + 12u, first, end);
    let larger = max(before.maximum, max(max(largest(s0), largest(s1)), max(largest(s2), largest(s3))));
    // If a query has not attended to any key yet, all its weights must be 0.
    let reference = select(larger, vec4<f32>(), larger == vec4<f32>(LOWEST));
    let factor = exp(before.maximum - reference);
    let w0 = exponentials(s0, reference);
    let w1 = exponentials(s1, reference);
    let w2 = exponentials(s2, reference);
    let w3 = exponentials(s3, reference);
    let total = before.total * factor + ((sum_of(w0) + sum_of(w1)) + (sum_of(w2) + sum_of(w3)));
    return Softmax(larger, total, factor, array<mat4x4<f32>, 4>(w0, w1, w2, w3));
}

fn scaled(x: mat4x4<f32>, by: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(x[0] * by.x, x[1] * by.y, x[2] * by.z, x[3] * by.w);
}

// Stores a chunk of the outputs of four tokens.
fn store_four(branch: u32, head: u32, token: u32, chunk: u32, values: mat4x4<f32>) {
    let row = branch * params.tokens + token;
    let stride = params.heads * HEAD_DIM;
    let at = row * stride + head * HEAD_DIM;
    let rows = params.tokens - token;
    store_output(at, chunk, values[0]);
    if (rows > 1u) { store_output(at + stride, chunk, values[1]); }
    if (rows > 2u) { store_output(at + 2u * stride, chunk, values[2]); }
    if (rows > 3u) { store_output(at + 3u * stride, chunk, values[3]); }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let branch = group.z;
    let head = group.y;
    let token = (group.x * WORKGROUP + local) * 8u;
    if (token >= params.tokens) {
        return;
    }
    let a = queries(branch, head, token);
    let b = queries(branch, head, token + 4u);
    // The range of keys that any of the queries attends to.
    let first_key = least(min(a.first, b.first));
    let end_key = most(max(a.end, b.end));
    let kv_head = (head / (params.heads / params.kv_heads)) * HEAD_DIM;
    let span_at = branch * params.kv_rows * params.kv_stride + kv_head;
    let prefix_at = branch * params.prefix_stride + kv_head;

    var sums_a: array<mat4x4<f32>, CHUNKS>; // [chunk], a column for each query
    var sums_b: array<mat4x4<f32>, CHUNKS>;
    for (var c = 0u; c < CHUNKS; c++) {
        sums_a[c] = mat4x4<f32>();
        sums_b[c] = mat4x4<f32>();
    }
    var of_a: Softmax;
    of_a.maximum = vec4<f32>(LOWEST);
    var of_b: Softmax;
    of_b.maximum = vec4<f32>(LOWEST);

    let prefix_tiles = PREFIXED * ((params.prefix_rows + 15u) / 16u);
    let tiles = prefix_tiles + (max(end_key, first_key) - first_key + 15u) / 16u;
    for (var i = 0u; i < tiles; i++) {
        let in_prefix = i < prefix_tiles;
        let key = select(first_key + (i - prefix_tiles) * 16u, i * 16u, in_prefix);
        let last_key = select(end_key, params.prefix_rows, in_prefix) - 1u;
        let stride = select(params.kv_stride, params.kv_heads * HEAD_DIM, in_prefix);
        let k_first = select(span_at + params.k_column, prefix_at + params.prefix_key, in_prefix);
        let v_first = select(span_at + params.v_column, prefix_at + params.prefix_value, in_prefix);
        let lanes = vec4<u32>(0u, 1u, 2u, 3u);
        let rows0 = min(key + lanes, vec4<u32>(last_key)) * stride;
        let rows1 = min(key + 4u + lanes, vec4<u32>(last_key)) * stride;
        let rows2 = min(key + 8u + lanes, vec4<u32>(last_key)) * stride;
        let rows3 = min(key + 12u + lanes, vec4<u32>(last_key)) * stride;

        var a0 = mat4x4<f32>(); // scores: a column for each key
        var a1 = mat4x4<f32>();
        var a2 = mat4x4<f32>();
        var a3 = mat4x4<f32>();
        var b0 = mat4x4<f32>();
        var b1 = mat4x4<f32>();
        var b2 = mat4x4<f32>();
        var b3 = mat4x4<f32>();
        for (var c = 0u; c < CHUNKS; c++) {
            let q_a = transpose(load_queries(a.at, c));
            let q_b = transpose(load_queries(b.at, c));
            let k0 = load_four(in_prefix, k_first + rows0, c);
            let k1 = load_four(in_prefix, k_first + rows1, c);
            let k2 = load_four(in_prefix, k_first + rows2, c);
            let k3 = load_four(in_prefix, k_first + rows3, c);
            a0 += q_a * k0;
            a1 += q_a * k1;
            a2 += q_a * k2;
            a3 += q_a * k3;
            b0 += q_b * k0;
            b1 += q_b * k1;
            b2 += q_b * k2;
            b3 += q_b * k3;
        }
        let first_a = select(a.first, first_in_prefix(a.first, a.end), in_prefix);
        let first_b = select(b.first, first_in_prefix(b.first, b.end), in_prefix);
        let end_a = select(a.end, vec4<u32>(params.prefix_rows), in_prefix);
        let end_b = select(b.end, vec4<u32>(params.prefix_rows), in_prefix);
        of_a = softmax(of_a, array<mat4x4<f32>, 4>(a0, a1, a2, a3), Place(branch, head, token), key, first_a, end_a);
        of_b = softmax(of_b, array<mat4x4<f32>, 4>(b0, b1, b2, b3), Place(branch, head, token + 4u), key, first_b, end_b);
        a0 = transpose(of_a.weights[0]);
        a1 = transpose(of_a.weights[1]);
        a2 = transpose(of_a.weights[2]);
        a3 = transpose(of_a.weights[3]);
        b0 = transpose(of_b.weights[0]);
        b1 = transpose(of_b.weights[1]);
        b2 = transpose(of_b.weights[2]);
        b3 = transpose(of_b.weights[3]);
        for (var c = 0u; c < CHUNKS; c++) {
            let v0 = load_four(in_prefix, v_first + rows0, c);
            let v1 = load_four(in_prefix, v_first + rows1, c);
            let v2 = load_four(in_prefix, v_first + rows2, c);
            let v3 = load_four(in_prefix, v_first + rows3, c);
            sums_a[c] = scaled(sums_a[c], of_a.factor) + ((v0 * a0 + v1 * a1) + (v2 * a2 + v3 * a3));
            sums_b[c] = scaled(sums_b[c], of_b.factor) + ((v0 * b0 + v1 * b1) + (v2 * b2 + v3 * b3));
        }
    }

    // The output of a token without keys is zero.
    let scale_a = 1.0 / select(of_a.total, vec4<f32>(1.0), of_a.total == vec4<f32>());
    let scale_b = 1.0 / select(of_b.total, vec4<f32>(1.0), of_b.total == vec4<f32>());
    for (var c = 0u; c < CHUNKS; c++) {
        store_four(branch, head, token, c, scaled(sums_a[c], scale_a));
        if (token + 4u < params.tokens) {
            store_four(branch, head, token + 4u, c, scaled(sums_b[c], scale_b));
        }
    }
}
