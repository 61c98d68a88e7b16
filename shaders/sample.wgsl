// Samples the next token, with the vocabulary in blocks. It keeps the token with the largest score over all blocks so far.
//   score(token) = logit                                 greedy (temperature 0); the lowest token wins if scores are equal
//   score(token) = logit / temperature + Gumbel noise    otherwise; the largest is a sample of softmax(logit / temperature)
// The noise of a token comes from Threefry with the token as the counter, so it does not depend on the blocks.
// Dispatch: one workgroup.

const WORKGROUP: u32 = 256u;

struct Params {
    width: u32, // of the block
    first: u32, // token of the block's column 0
    bias: u32, // offset of the vocabulary bias in vectors, or NO_BIAS
    vector_stride: u32,
    start: u32, // 1 in the first block, which resets the best token
    temperature: f32,
    key_low: u32,
    key_high: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // [width]
@group(0) @binding(2) var<storage, read> vectors: array<f32>; // [1, vector_stride]
@group(0) @binding(3) var<storage, read_write> chosen: array<u32>; // [2]: token, bits of its score

//#use threefry
//#use vector
//#use workgroup_best

// -log(E) with E = -log(1 - u), from 32 random bits. A small E gives a large score, so a series is used there, because log near 1
// has an error of 5e-7 on a GPU.
fn gumbel(bits: u32) -> f32 {
    let u = (f32(bits) + 0.5) * 2.3283064365386963e-10;
    var e = u * (1.0 + u * (0.5 + u * 0.33333333));
    if (u > 0.01) {
        e = -log(max(1.0 - u, 2.9802322387695312e-08));
    }
    return -log(e);
}

fn score(i: u32) -> f32 {
    let token = params.first + i;
    let logit = logits[i] + vector_or_zero(0u, params.bias, token);
    if (params.temperature == 0.0) {
        return logit;
    }
    let bits = threefry(vec2<u32>(params.key_low, params.key_high), vec2<u32>(token, 0u));
    return logit / params.temperature + gumbel(bits.x);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) local: u32) {
    var own = NOTHING;
    for (var i = local; i < params.width; i += WORKGROUP) {
        own = better(own, Best(score(i), params.first + i));
    }
    var best = workgroup_best(local, own);
    if (local > 0u) {
        return;
    }
    if (params.start == 0u) {
        best = better(Best(bitcast<f32>(chosen[1]), chosen[0]), best);
    }
    chosen[0] = best.index;
    chosen[1] = bitcast<u32>(best.value);
}
