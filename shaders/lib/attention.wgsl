// The common parts of the attention kernels: the parameters, the tensors, and functions to load keys and values.
//   generated: HEAD_DIM, 1..256; PREFIXED, 1 if there is a prefix, else 0, so that only the loads of one case are compiled
//   generated: CAPPED, 1 if scores have a softcap, else 0
//   generated: RELATIVE, how scores depend on the distance of a key from its query: 0, not at all; 1, by a bias; 2, as in disentangled
//     attention (He et al. 2020, arXiv 2006.03654), where a distance has a query and a key
//   @access: `Element`, and access to four elements at a time: attention_vec4 or attention_scalar

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
    prefix_rows: u32, // 0 if there is no prefix
    prefix_stride: u32, // of a branch of prefix
    prefix_key: u32, // start of the prefix's keys, [prefix_rows, kv_heads * HEAD_DIM]
    prefix_value: u32, // start of its values
    softcap: f32, // of the scores
    window: u32, // keys that a token sees at most, those of the prefix included; 0 if there is no limit
    reach: u32, // distances -reach < key - query < reach have values
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<Element>; // [branch, token, q_stride], head h at column h * HEAD_DIM
@group(0) @binding(2) var<storage, read> key_value: array<Element>; // [branch, kv_rows, kv_stride]
@group(0) @binding(3) var<storage, read> spans: array<vec2<u32>>; // [token]: visible rows of key_value, first and end
@group(0) @binding(4) var<storage, read> prefix: array<Element>; // [branch, prefix_stride]: an adapter's tensors, packed
// [branch, reach - 1 + key - query]: the biases of the heads, or the queries and then the keys of the heads
@group(0) @binding(5) var<storage, read> distances: array<Element>;
@group(0) @binding(6) var<storage, read_write> output: array<Element>; // [branch, token, heads * HEAD_DIM]

//#use @access
//#use softcap

const CHUNKS: u32 = (HEAD_DIM + 3u) / 4u;
// Lower than any score, but finite, because some compilers assume that there are no infinities.
const LOWEST: f32 = -1.0e30;

// The first row of the prefix that each of four tokens sees, whose spans have these first and end keys. The prefix stands in front of
// a token's sequence, so a token whose span is as long as the window sees nothing of it.
fn first_in_prefix(first: vec4<u32>, end: vec4<u32>) -> vec4<u32> {
    if (PREFIXED == 0u || params.window == 0u) { return vec4<u32>(); }
    let keys = params.prefix_rows + (end - first);
    return min(keys - min(keys, vec4<u32>(params.window)), vec4<u32>(params.prefix_rows));
}

// The scores for the dot products of a query with keys.
fn scaled_scores(products: vec4<f32>) -> vec4<f32> {
    let scores = params.scale * products;
    if (CAPPED == 1u) { return softcap(scores, params.softcap); }
    return scores;
}

// Adds what depends on each key's distance from its query to the scores: four pairs of rows of the batch.
fn with_distances(scores: vec4<f32>, branch: u32, head: u32, tokens: vec4<u32>, keys: vec4<u32>) -> vec4<f32> {
    if (RELATIVE == 0u) { return scores; }
    let count = 2u * params.reach - 1u;
    // The distance of a key that the query does not see may be out of range.
    let rows = branch * count + min(keys + (params.reach - 1u) - tokens, vec4<u32>(count - 1u));
    if (RELATIVE == 1u) {
        let at = rows * params.heads + head;
        return scores + vec4<f32>(load_bias(at.x), load_bias(at.y), load_bias(at.z), load_bias(at.w));
    }
    let width = params.heads * HEAD_DIM;
    let kv_head = (head / (params.heads / params.kv_heads)) * HEAD_DIM;
    let q_at = (branch * params.tokens + min(tokens, vec4<u32>(params.tokens - 1u))) * params.q_stride + head * HEAD_DIM;
    let k_at = (branch * params.kv_rows + min(keys, vec4<u32>(params.kv_rows - 1u))) * params.kv_stride + params.k_column + kv_head;
    let at = rows * 2u * width + head * HEAD_DIM;
    var products = vec4<f32>();
    for (var c = 0u; c < CHUNKS; c++) {
        products += dots(load_queries(q_at, c), load_distances(at + width, c)) + dots(load_four(false, k_at, c), load_distances(at, c));
    }
    return scores + params.scale * products;
}

fn dots(a: mat4x4<f32>, b: mat4x4<f32>) -> vec4<f32> {
    return vec4<f32>(dot(a[0], b[0]), dot(a[1], b[1]), dot(a[2], b[2]), dot(a[3], b[3]));
}

// Loads a chunk of the queries or keys of four distances.
fn load_distances(rows: vec4<u32>, chunk: u32) -> mat4x4<f32> {
    return mat4x4<f32>(load_distance(rows.x, chunk), load_distance(rows.y, chunk), load_distance(rows.z, chunk), load_distance(rows.w, chunk));
}

// Loads a chunk of four rows of keys or values as the columns of a matrix. `rows` are the starts of the rows.
fn load_four(in_prefix: bool, rows: vec4<u32>, chunk: u32) -> mat4x4<f32> {
    return mat4x4<f32>(load_key_value(in_prefix, rows.x, chunk), load_key_value(in_prefix, rows.y, chunk),
        load_key_value(in_prefix, rows.z, chunk), load_key_value(in_prefix, rows.w, chunk));
}

// Loads a chunk of four queries in the same way.
fn load_queries(rows: vec4<u32>, chunk: u32) -> mat4x4<f32> {
    return mat4x4<f32>(load_query(rows.x, chunk), load_query(rows.y, chunk), load_query(rows.z, chunk), load_query(rows.w, chunk));
}
