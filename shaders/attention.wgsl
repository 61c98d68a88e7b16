// Attention: output[b, t, h] = softmax(softcap(scale * q k^T) + distances) v over the keys that token t attends to. These are a half-open span
// of rows, given as data: its sequence (bidirectional), its sequence up to itself (causal), or a cache up to its position. If there
// is a prefix, every token also attends to its rows: the keys and values of an adapter, before the span. If attention has a window,
// these rows count as part of it. The softmax is online: it keeps a running maximum and sum over tiles of keys, and rescales the
// outputs when the maximum grows, so that no score matrix is stored in memory.
// Dispatch: [ceil(tokens / 32), heads, branches] workgroups of 64, for 32 queries and tiles of 32 keys. An invocation computes the
// scores of 4 queries with 4 keys, and every 8th chunk of 4 columns of their outputs. For few tokens, see attention_decode.

//#use attention

const TILE: u32 = 32u; // number of queries and of keys
const OWN_CHUNKS: u32 = (CHUNKS + 7u) / 8u;

var<workgroup> weights: array<vec4<f32>, 256>; // [query, key / 4]: scores, then exp(score - maximum)
var<workgroup> factors: array<f32, TILE>; // [query]: the factor of the outputs so far

// The scores of the keys that the query attends to; LOWEST for the others.
fn masked(scores: vec4<f32>, keys: vec4<u32>, token: u32, in_prefix: bool) -> vec4<f32> {
    var span = spans[min(token, params.tokens - 1u)];
    if (in_prefix) { span = vec2<u32>(first_in_prefix(span.xxxx, span.yyyy).x, params.prefix_rows); }
    return select(vec4<f32>(LOWEST), scores, (keys >= vec4<u32>(span.x)) & (keys < vec4<u32>(span.y)));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let branch = group.z;
    let head = group.y;
    let first_token = group.x * TILE;
    let last_token = min(first_token + TILE, params.tokens) - 1u;
    // The range of keys that any of the queries attends to.
    var first_key = 0xffffffffu;
    var end_key = 0u;
    for (var t = first_token; t <= last_token; t++) {
        first_key = min(first_key, spans[t].x);
        end_key = max(end_key, spans[t].y);
    }
    let lane = local % 8u;
    let own = (local / 8u) * 4u; // the invocation's first query
    let tokens = first_token + own + vec4<u32>(0u, 1u, 2u, 3u);
    let q_at = (branch * params.tokens + min(tokens, vec4<u32>(last_token))) * params.q_stride + head * HEAD_DIM;
    let kv_head = (head / (params.heads / params.kv_heads)) * HEAD_DIM;
    let span_at = branch * params.kv_rows * params.kv_stride + kv_head;
    let prefix_at = branch * params.prefix_stride + kv_head;

    // [own query, own chunk]
    var sums: array<vec4<f32>, 4u * OWN_CHUNKS>;
    for (var i = 0u; i < 4u * OWN_CHUNKS; i++) {
        sums[i] = vec4<f32>(0.0);
    }
    // The first 32 invocations hold these values for query `local`.
    var maximum = LOWEST;
    var total = 0.0;

    let prefix_tiles = PREFIXED * ((params.prefix_rows + TILE - 1u) / TILE);
    let tiles = prefix_tiles + (max(end_key, first_key) - first_key + TILE - 1u) / TILE;
    for (var i = 0u; i < tiles; i++) {
        let in_prefix = i < prefix_tiles;
        let tile = select(first_key + (i - prefix_tiles) * TILE, i * TILE, in_prefix);
        let last_key = select(end_key, params.prefix_rows, in_prefix) - 1u;
        let stride = select(params.kv_stride, params.kv_heads * HEAD_DIM, in_prefix);
        let k_first = select(span_at + params.k_column, prefix_at + params.prefix_key, in_prefix);
        let v_first = select(span_at + params.v_column, prefix_at + params.prefix_value, in_prefix);
        let keys = tile + lane * 4u + vec4<u32>(0u, 1u, 2u, 3u);
        let k_at = k_first + min(keys, vec4<u32>(last_key)) * stride;
        var scores = mat4x4<f32>(); // a column for each query
        for (var c = 0u; c < CHUNKS; c++) {
            let q = load_queries(q_at, c);
            let k = load_four(in_prefix, k_at, c);
            scores += transpose(k) * q;
        }
        // After this, the weights of the previous tile are no longer in use.
        workgroupBarrier();
        weights[own * 8u + lane] = masked(with_distances(scaled_scores(scores[0]), branch, head, tokens.xxxx, keys), keys, tokens.x, in_prefix);
        weights[own * 8u + 8u + lane] = masked(with_distances(scaled_scores(scores[1]), branch, head, tokens.yyyy, keys), keys, tokens.y, in_prefix);
        weights[own * 8u + 16u + lane] = masked(with_distances(scaled_scores(scores[2]), branch, head, tokens.zzzz, keys), keys, tokens.z, in_prefix);
        weights[own * 8u + 24u + lane] = masked(with_distances(scaled_scores(scores[3]), branch, head, tokens.wwww, keys), keys, tokens.w, in_prefix);
        workgroupBarrier();
        if (local < TILE) {
            var larger = maximum;
            for (var j = 0u; j < 8u; j++) {
                let four = weights[local * 8u + j];
                larger = max(larger, max(max(four.x, four.y), max(four.z, four.w)));
            }
            // If a query has not attended to any key yet, all its weights must be 0.
            let reference = select(larger, 0.0, larger == LOWEST);
            let factor = exp(maximum - reference);
            total *= factor;
            for (var j = 0u; j < 8u; j++) {
                let four = exp(weights[local * 8u + j] - reference);
                weights[local * 8u + j] = four;
                total += (four.x + four.y) + (four.z + four.w);
            }
            factors[local] = factor;
            maximum = larger;
        }
        workgroupBarrier();
        for (var o = 0u; o < OWN_CHUNKS; o++) {
            let c = lane + 8u * o;
            if (c < CHUNKS) {
                var sum = mat4x4<f32>(factors[own] * sums[4u * o], factors[own + 1u] * sums[4u * o + 1u],
                    factors[own + 2u] * sums[4u * o + 2u], factors[own + 3u] * sums[4u * o + 3u]);
                for (var j = 0u; j < 8u; j++) {
                    let v_at = v_first + min(tile + j * 4u + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last_key)) * stride;
                    let v = load_four(in_prefix, v_at, c);
                    sum += v * mat4x4<f32>(weights[own * 8u + j], weights[own * 8u + 8u + j],
                        weights[own * 8u + 16u + j], weights[own * 8u + 24u + j]);
                }
                sums[4u * o] = sum[0];
                sums[4u * o + 1u] = sum[1];
                sums[4u * o + 2u] = sum[2];
                sums[4u * o + 3u] = sum[3];
            }
        }
    }

    workgroupBarrier();
    if (local < TILE) {
        // The output of a token without keys is zero.
        factors[local] = 1.0 / select(total, 1.0, total == 0.0);
    }
    workgroupBarrier();
    for (var o = 0u; o < OWN_CHUNKS; o++) {
        let c = lane + 8u * o;
        for (var i = 0u; i < 4u; i++) {
            let token = first_token + own + i;
            if (c < CHUNKS && token <= last_token) {
                let row = branch * params.tokens + token;
                store_output((row * params.heads + head) * HEAD_DIM, c, factors[own + i] * sums[4u * o + i]);
            }
        }
    }
}
