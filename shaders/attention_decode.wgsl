// Attention for few tokens and many keys, as in decoding with a cache. It computes the same as attention.wgsl, but here a workgroup
// shares the keys of one token, in tiles of 256. An invocation computes the scores of 4 keys, and then sums every GROUPS-th vec4 of
// values in one chunk of 4 columns.
// Dispatch: [tokens, heads, branches] workgroups of 64.

const WORKGROUP: u32 = 64u;

//#use attention
//#use workgroup_max
//#use workgroup_sum

const GROUPS: u32 = WORKGROUP / CHUNKS;

var<workgroup> weights: array<vec4<f32>, WORKGROUP>; // [key of the tile / 4]
var<workgroup> parts: array<vec4<f32>, WORKGROUP>; // [group, chunk]

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let branch = group.z;
    let head = group.y;
    let span = spans[group.x];
    let row = branch * params.tokens + group.x;
    let q_at = row * params.q_stride + head * HEAD_DIM;
    let kv_head = (head / (params.heads / params.kv_heads)) * HEAD_DIM;
    let span_at = branch * params.kv_rows * params.kv_stride + kv_head;
    let prefix_at = branch * params.prefix_stride + kv_head;
    let chunk = local % CHUNKS;
    var maximum = LOWEST;
    var total = 0.0; // over the keys of this invocation
    var sum = vec4<f32>(0.0);

    let prefix_start = first_in_prefix(span.xxxx, span.yyyy).x;
    let prefix_tiles = PREFIXED * ((params.prefix_rows - prefix_start + 4u * WORKGROUP - 1u) / (4u * WORKGROUP));
    let tiles = prefix_tiles + (max(span.y, span.x) - span.x + 4u * WORKGROUP - 1u) / (4u * WORKGROUP);
    for (var i = 0u; i < tiles; i++) {
        let in_prefix = i < prefix_tiles;
        let tile = 4u * WORKGROUP * select(i - prefix_tiles, i, in_prefix) + select(span.x, prefix_start, in_prefix);
        let end = select(span.y, params.prefix_rows, in_prefix);
        let stride = select(params.kv_stride, params.kv_heads * HEAD_DIM, in_prefix);
        let k_first = select(span_at + params.k_column, prefix_at + params.prefix_key, in_prefix);
        let v_first = select(span_at + params.v_column, prefix_at + params.prefix_value, in_prefix);
        let keys = tile + 4u * local + vec4<u32>(0u, 1u, 2u, 3u);
        var scores = vec4<f32>(LOWEST);
        if (keys.x < end) {
            let k_at = k_first + min(keys, vec4<u32>(end - 1u)) * stride;
            var products = vec4<f32>(0.0);
            for (var c = 0u; c < CHUNKS; c++) {
                let k = load_four(in_prefix, k_at, c);
                products += load_query(q_at, c) * k;
            }
            let all = with_distances(scaled_scores(products), branch, head, group.xxxx, keys);
            scores = select(scores, all, keys < vec4<u32>(end));
        }
        let own_max = max(max(scores.x, scores.y), max(scores.z, scores.w));
        // workgroup_max is also a barrier: after it, the weights of the previous tile are no longer in use.
        let larger = max(maximum, workgroup_max(local, own_max));
        let factor = exp(maximum - larger);
        let four = exp(scores - larger);
        maximum = larger;
        total = total * factor + ((four.x + four.y) + (four.z + four.w));
        weights[local] = four;
        workgroupBarrier();
        sum *= factor;
        if (local < GROUPS * CHUNKS) {
            let fours = min((end - tile + 3u) / 4u, WORKGROUP);
            for (var j = local / CHUNKS; j < fours; j += GROUPS) {
                let v_at = v_first + min(tile + 4u * j + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(end - 1u)) * stride;
                let v = load_four(in_prefix, v_at, chunk);
                sum += v * weights[j];
            }
        }
    }

    let whole = workgroup_sum(local, total);
    parts[local] = sum;
    workgroupBarrier();
    if (local < CHUNKS) {
        var all = vec4<f32>(0.0);
        for (var g = 0u; g < GROUPS; g++) {
            all += parts[g * CHUNKS + local];
        }
        // The output of a token without keys is zero.
        store_output((row * params.heads + head) * HEAD_DIM, local, all / select(whole, 1.0, whole == 0.0));
    }
}
