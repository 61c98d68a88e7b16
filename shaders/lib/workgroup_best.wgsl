// The largest value over a workgroup of WORKGROUP (a power of two) invocations, and its index. If values are equal, the lowest
// index wins. It must be called in uniform control flow.
struct Best {
    value: f32,
    index: u32,
}

const NOTHING = Best(-3.0e38, 0xffffffffu);

var<workgroup> partial_best: array<Best, WORKGROUP>;

fn better(a: Best, b: Best) -> Best {
    if (b.value > a.value || (b.value == a.value && b.index < a.index)) {
        return b;
    }
    return a;
}

fn workgroup_best(local: u32, best: Best) -> Best {
    workgroupBarrier();
    partial_best[local] = best;
    for (var reach = WORKGROUP / 2u; reach > 0u; reach /= 2u) {
        workgroupBarrier();
        if (local < reach) {
            partial_best[local] = better(partial_best[local], partial_best[local + reach]);
        }
    }
    workgroupBarrier();
    return partial_best[0];
}
