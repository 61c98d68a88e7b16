// The random direction z, drawn from counters, and the perturbed weights. src/zo/random.rs has the derivation.
//
// One call of the generator gives 64 bits for four consecutive elements of a tensor (a vec4), 16 bits for each element. Bit 15 is
// the sign, and bits 0 to 10 are an index into a table of quantiles, which the host has already scaled. So only additions remain
// here. They round in the same way on every device, whereas a multiply-add may be fused.

//#use threefry

const QUANTILES: u32 = 2048u;

// Marks a frozen tensor, in place of its ordinal.
const FROZEN: u32 = 0xffffffffu;

struct Branch {
    key: vec2<u32>, // of (seed, step, probe)
    sign: u32, // 0, or 0x80000000 to flip the sign of z
    perturbed: u32, // 0: plain weights; 1: perturbed along the key's direction; 2: the same, and the previous branch has the same direction
}

struct Update {
    key: vec2<u32>, // of (seed, step, probe)
    rounding: vec2<u32>, // key for rounding weights that are narrower than f32
    decay: f32, // factor by which tensors with weight decay are multiplied first
    rounds: u32, // 1 if the weights are rounded to their storage format after this update
}

// The step parameters: what a step adds to the weights. They are written once per step.
struct Step {
    zero: u32, // always 0, but unknown to the compiler
    updates: u32, // number of pending updates
    branches: array<Branch, 16>,
    update: array<Update, 16>, // in order
    scaled: array<f32>, // [1 + update, quantile]: epsilon x quantile; each update's coefficient x quantile
}

@group(0) @binding(3) var<storage, read> step_: Step;

// Forces the value to be rounded. The compiler cannot contract or reorder floating-point operations across this.
fn fence(x: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) ^ vec4<u32>(step_.zero));
}

// The scaled z of a vec4. `table` is the start of its scaled quantiles. counter = (index of the vec4 in its tensor, tensor's ordinal).
fn direction(key: vec2<u32>, counter: vec2<u32>, table: u32) -> vec4<f32> {
    let bits = threefry(key, counter);
    let samples = vec4<u32>(bits.x, upper_half(bits.x), bits.y, upper_half(bits.y));
    let at = (samples & vec4<u32>(0x7ffu)) + vec4<u32>(table);
    // Bits 15 and 31 of each word, moved to bit 31 by a multiplication.
    let sign = (bits.xxyy & vec4<u32>(0x8000u, 0x80000000u, 0x8000u, 0x80000000u)) * vec4<u32>(0x10000u, 1u, 0x10000u, 1u);
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

// What a branch adds to the weights, except for the sign.
fn perturbation(b: u32, counter: vec2<u32>) -> vec4<f32> {
    let moves = step_.branches[b].perturbed != 0u && counter.y != FROZEN;
    return select(vec4<f32>(), direction(step_.branches[b].key, counter, 0u), moves);
}

// Whether a branch has the same direction as the previous branch.
fn shares_direction(b: u32) -> bool {
    return step_.branches[b].perturbed == 2u;
}

fn flip(x: vec4<f32>, sign: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) ^ vec4<u32>(sign));
}
