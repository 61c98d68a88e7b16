// What the cuts of attention share: their parameters, their tensors, and how keys and values are read.
//   generated: HEAD_DIM, 1..256; PREFIXED, 1 where there is a prefix, else 0: the loads of the one case alone are compiled
//   generated: CAPPED, 1 where scores have a soft cap, else 0
//   @access: `Element`, and four elements at a time of the tensors: attention_vec4 or attention_scalar

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
    prefix_rows: u32, // 0: there is no prefix
    prefix_stride: u32, // of a branch of prefix
    prefix_key: u32, // where the prefix's keys begin, [prefix_rows, kv_heads * HEAD_DIM]
    prefix_value: u32, // and its values
    softcap: f32, // of the scores
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<Element>; // [branch, token, q_stride], head h at column h * HEAD_DIM
@group(0) @binding(2) var<storage, read> key_value: array<Element>; // [branch, kv_rows, kv_stride]
@group(0) @binding(3) var<storage, read> spans: array<vec2<u32>>; // [token]: visible rows of key_value, first and end
@group(0) @binding(4) var<storage, read> prefix: array<Element>; // [branch, prefix_stride]: an adapter's tensors, packed
@group(0) @binding(5) var<storage, read_write> output: array<Element>; // [branch, token, heads * HEAD_DIM]

//#use @access
//#use softcap

const CHUNKS: u32 = (HEAD_DIM + 3u) / 4u;
// Lower than any score, and finite: some compilers assume that there are no infinities.
const LOWEST: f32 = -1.0e30;

// Scores from products of a query and keys.
fn scaled_scores(products: vec4<f32>) -> vec4<f32> {
    let scores = params.scale * products;
    if (CAPPED == 1u) { return softcap(scores, params.softcap); }
    return scores;
}

// A chunk of four rows of keys or values, one in each column; `rows` is where each begins.
fn load_four(in_prefix: bool, rows: vec4<u32>, chunk: u32) -> mat4x4<f32> {
    return mat4x4<f32>(load_key_value(in_prefix, rows.x, chunk), load_key_value(in_prefix, rows.y, chunk),
        load_key_value(in_prefix, rows.z, chunk), load_key_value(in_prefix, rows.w, chunk));
}

// And of four queries.
fn load_queries(rows: vec4<u32>, chunk: u32) -> mat4x4<f32> {
    return mat4x4<f32>(load_query(rows.x, chunk), load_query(rows.y, chunk), load_query(rows.z, chunk), load_query(rows.w, chunk));
}
