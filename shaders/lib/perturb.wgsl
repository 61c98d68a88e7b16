// The random direction z, drawn from counters, and the weights that it makes: src/zo/random.rs has the derivation.
//
// A quad is four consecutive elements of a tensor: one call of the generator gives 64 bits, 16 for each element:
// bit 15 is the sign, bits 0..11 index a table of half-normal quantiles that the host has already scaled, so that
// only additions are left to do here: they round the same on every device, where a multiply-add might be fused.

//#use threefry

const QUANTILES: u32 = 2048u;

struct Branch {
    key: vec2<u32>, // of (seed, step, probe)
    sign: u32, // 0 or 0x80000000: flips the sign of z
    perturbed: u32, // 0: this branch sees the weights as they are
}

// What a step adds to the weights: written once a step.
struct Step {
    update_key: vec2<u32>, // of the pending update's (seed, step, probe)
    update: u32, // 1: an update is pending
    decay: f32, // the pending update first multiplies by this the tensors that decay
    zero: u32, // always 0, which no compiler knows
    branches: array<Branch, 16>,
    scaled: array<f32, 4096>, // [2, quantile]: epsilon x quantile; the update's coefficient x quantile
}

@group(0) @binding(1) var<storage, read> step_: Step;

// The value as rounded: a compiler that contracts or reorders floating-point sums cannot look through it.
fn fence(x: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) ^ vec4<u32>(step_.zero));
}

// The scaled z of a quad; `table` is where its scaled quantiles begin. counter = (quad's index in its tensor, tensor's ordinal).
fn direction(key: vec2<u32>, counter: vec2<u32>, table: u32) -> vec4<f32> {
    let bits = threefry(key, counter);
    let samples = vec4<u32>(bits.x & 0xffffu, bits.x >> 16u, bits.y & 0xffffu, bits.y >> 16u);
    let at = (samples & vec4<u32>(0x7ffu)) + vec4<u32>(table);
    let sign = (samples & vec4<u32>(0x8000u)) << vec4<u32>(16u);
    let z = vec4<f32>(step_.scaled[at.x], step_.scaled[at.y], step_.scaled[at.z], step_.scaled[at.w]);
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(z) ^ sign);
}

// The weights after the pending update.
fn updated(weights: vec4<f32>, counter: vec2<u32>, decays: u32) -> vec4<f32> {
    if (step_.update == 0u) {
        return weights;
    }
    var w = weights;
    if (decays == 1u) {
        w = fence(w * step_.decay);
    }
    return fence(w + direction(step_.update_key, counter, QUANTILES));
}

fn flip(x: vec4<f32>, sign: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) ^ vec4<u32>(sign));
}
