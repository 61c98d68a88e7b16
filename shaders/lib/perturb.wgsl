// The random direction z, drawn from counters, and the weights that it makes: src/zo/random.rs has the derivation.
//
// A quad is four consecutive elements of a tensor: one call of the generator gives 64 bits, 16 for each element:
// bit 15 is the sign, bits 0..11 index a table of quantiles that the host has already scaled, so that only additions are
// left to do here: they round the same on every device, where a multiply-add might be fused.

//#use threefry

const QUANTILES: u32 = 2048u;

// In the place of a tensor's ordinal: the tensor is frozen.
const FROZEN: u32 = 0xffffffffu;

struct Branch {
    key: vec2<u32>, // of (seed, step, probe)
    sign: u32, // 0 or 0x80000000: flips the sign of z
    perturbed: u32, // 0: this branch sees the weights as they are; 1: moved along the key's direction; 2: likewise, and so does the one before
}

struct Update {
    key: vec2<u32>, // of (seed, step, probe)
    rounding: vec2<u32>, // key of the bits that weights of less than f32 are rounded with
    decay: f32, // tensors that decay are multiplied by this first
    rounds: u32, // 1: the weights are rounded as they are stored after this update
}

// What a step adds to the weights: written once a step.
struct Step {
    zero: u32, // always 0, which no compiler knows
    updates: u32, // updates that are pending
    branches: array<Branch, 16>,
    update: array<Update, 16>, // in order
    scaled: array<f32>, // [1 + update, quantile]: epsilon x quantile; each update's coefficient x quantile
}

@group(0) @binding(3) var<storage, read> step_: Step;

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

// The weights after the pending updates.
fn updated(weights: vec4<f32>, counter: vec2<u32>, decays: u32) -> vec4<f32> {
    var w = weights;
    if (counter.y == FROZEN) {
        return w;
    }
    for (var u = 0u; u < step_.updates; u++) {
        if (decays == 1u) {
            w = fence(w * step_.update[u].decay);
        }
        w = fence(w + direction(step_.update[u].key, counter, (u + 1u) * QUANTILES));
        if (step_.update[u].rounds == 1u) {
            w = rounded(w, step_.update[u].rounding, counter);
        }
    }
    return w;
}

// What a branch adds to the weights, but for the sign.
fn perturbation(b: u32, counter: vec2<u32>) -> vec4<f32> {
    let moves = step_.branches[b].perturbed != 0u && counter.y != FROZEN;
    return select(vec4<f32>(), direction(step_.branches[b].key, counter, 0u), moves);
}

// Whether a branch's direction is that of the branch before it.
fn shares_direction(b: u32) -> bool {
    return step_.branches[b].perturbed == 2u;
}

fn flip(x: vec4<f32>, sign: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) ^ vec4<u32>(sign));
}
