// Attention: out[b, t, h] = softmax(scale * q k^T) v over the keys that token t sees, a half-open span of rows that is data: its
// sequence (bidirectional), its sequence up to itself (causal), the cache up to its position (decoding). The softmax is online:
// a running maximum and sum, the accumulator rescaled when the maximum grows; no score matrix in memory.
//   generated: HEAD_DIM, 1..256;  SPLIT, a power of two up to 64: invocations that share one token's keys
//   @access: `Element`, and four elements at a time of the tensors: attention_vec4 or attention_scalar
// Dispatch: [ceil(tokens * SPLIT / 64), heads, branches] workgroups of 64; SPLIT neighbours take every SPLIT-th key of a
// token and combine at the end.

struct Params {
    tokens: u32,
    heads: u32,
    kv_heads: u32, // divides heads
    q_stride: u32, // of a row of query
    kv_rows: u32, // of a branch
    kv_stride: u32, // of a row of key_value
    k_column: u32,
    v_column: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<Element>; // [branch, token, q_stride], head h at column h * HEAD_DIM
@group(0) @binding(2) var<storage, read> key_value: array<Element>; // [branch, kv_rows, kv_stride]
@group(0) @binding(3) var<storage, read> spans: array<vec2<u32>>; // [token]: visible rows of key_value, first and end
@group(0) @binding(4) var<storage, read_write> output: array<Element>; // [branch, token, heads * HEAD_DIM]

//#use @access

const CHUNKS: u32 = (HEAD_DIM + 3u) / 4u;
const TOKENS: u32 = 64u / SPLIT;
// Lower than any score, and finite: some compilers assume that there are no infinities.
const LOWEST: f32 = -1.0e30;

var<workgroup> parts: array<vec4<f32>, 64>;

// Over the SPLIT invocations of one token, in fixed order.
fn split_sum(local: u32, value: vec4<f32>) -> vec4<f32> {
    workgroupBarrier();
    parts[local] = value;
    for (var reach = SPLIT / 2u; reach > 0u; reach /= 2u) {
        workgroupBarrier();
        if (local % SPLIT < reach) {
            parts[local] += parts[local + reach];
        }
    }
    workgroupBarrier();
    return parts[local - local % SPLIT];
}

fn split_max(local: u32, value: f32) -> f32 {
    workgroupBarrier();
    parts[local].x = value;
    for (var reach = SPLIT / 2u; reach > 0u; reach /= 2u) {
        workgroupBarrier();
        if (local % SPLIT < reach) {
            parts[local].x = max(parts[local].x, parts[local + reach].x);
        }
    }
    workgroupBarrier();
    return parts[local - local % SPLIT].x;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let branch = group.z;
    let head = group.y;
    let token = group.x * TOKENS + local / SPLIT;
    // Those beyond the last token see nothing, but go along to the barriers.
    var span = vec2<u32>(0u, 0u);
    if (token < params.tokens) {
        span = spans[token];
    }
    let row = branch * params.tokens + min(token, params.tokens - 1u);
    var q: array<vec4<f32>, CHUNKS>;
    var sum: array<vec4<f32>, CHUNKS>;
    for (var c = 0u; c < CHUNKS; c++) {
        q[c] = params.scale * load_query(row * params.q_stride + head * HEAD_DIM, c);
        sum[c] = vec4<f32>(0.0);
    }
    var maximum = LOWEST;
    var weights = 0.0;
    let kv_first = branch * params.kv_rows;
    let kv_column = (head / (params.heads / params.kv_heads)) * HEAD_DIM;

    // Four keys at a time, so that the accumulator is rescaled once for four.
    for (var key = span.x + local % SPLIT; key < span.y; key += 4u * SPLIT) {
        let keys = vec4<u32>(key, key + SPLIT, key + 2u * SPLIT, key + 3u * SPLIT);
        let at = (kv_first + min(keys, vec4<u32>(span.y - 1u))) * params.kv_stride + kv_column;
        var scores = vec4<f32>(0.0);
        for (var c = 0u; c < CHUNKS; c++) {
            scores.x += dot(q[c], load_key_value(at.x + params.k_column, c));
            scores.y += dot(q[c], load_key_value(at.y + params.k_column, c));
            scores.z += dot(q[c], load_key_value(at.z + params.k_column, c));
            scores.w += dot(q[c], load_key_value(at.w + params.k_column, c));
        }
        scores = select(vec4<f32>(LOWEST), scores, keys < vec4<u32>(span.y));
        let larger = max(maximum, max(max(scores.x, scores.y), max(scores.z, scores.w)));
        let keep = exp(maximum - larger);
        let p = exp(scores - larger);
        maximum = larger;
        weights = weights * keep + ((p.x + p.y) + (p.z + p.w));
        for (var c = 0u; c < CHUNKS; c++) {
            sum[c] = sum[c] * keep
                + p.x * load_key_value(at.x + params.v_column, c)
                + p.y * load_key_value(at.y + params.v_column, c)
                + p.z * load_key_value(at.z + params.v_column, c)
                + p.w * load_key_value(at.w + params.v_column, c);
        }
    }

    if (SPLIT > 1u) {
        let larger = split_max(local, maximum);
        let keep = exp(maximum - larger);
        weights = split_sum(local, vec4<f32>(weights * keep)).x;
        for (var c = 0u; c < CHUNKS; c++) {
            sum[c] = split_sum(local, sum[c] * keep);
        }
    }
    // A token that sees nothing gets zeros.
    let inverse = 1.0 / select(weights, 1.0, weights == 0.0);
    if (token < params.tokens && local % SPLIT == 0u) {
        for (var c = 0u; c < CHUNKS; c++) {
            store_output((row * params.heads + head) * HEAD_DIM, c, sum[c] * inverse);
        }
    }
}
