// Provider @tile: TILE_ROWS x TILE_COLUMNS outputs per workgroup, with 16 k at a time in workgroup memory, for GPUs that have such
// memory. Each of 16 x 16 threads computes THREAD_ROWS x THREAD_COLUMNS blocks of 4 x 4 outputs.
//   @number: the type in which it computes

//#use @number

const THREADS: u32 = GROUP_X * GROUP_Y;
const THREAD_ROWS: u32 = TILE_ROWS / GROUP_Y / 4u;
const THREAD_COLUMNS: u32 = TILE_COLUMNS / GROUP_X / 4u;
const BLOCKS: u32 = THREAD_ROWS * THREAD_COLUMNS;

var<workgroup> tile_a: array<vec4<Number>, TILE_ROWS * 4u>; // [k, row / 4]
var<workgroup> tile_w: array<vec4<Number>, TILE_COLUMNS * 4u>; // [k, column / 4]

fn whole(x: mat4x4<Number>) -> mat4x4<f32> {
    return mat4x4<f32>(vec4<f32>(x[0]), vec4<f32>(x[1]), vec4<f32>(x[2]), vec4<f32>(x[3]));
}

fn make_tile(group: vec3<u32>, local: vec3<u32>) {
    let thread = local.y * GROUP_X + local.x;
    let first_row = group.y * TILE_ROWS;
    let first_column = group.x * TILE_COLUMNS;
    let b = group.z;
    var sums: array<mat4x4<f32>, BLOCKS>; // sums of the short sums
    var short: array<mat4x4<Number>, BLOCKS>;
    for (var first = 0u; first < params.depth; first += 16u) {
        // A thread loads four k of a row, and zeros beyond the depth.
        let k = thread % 4u * 4u;
        for (var i = thread / 4u; i < TILE_ROWS; i += THREADS / 4u) {
            var quad = vec4<f32>();
            if (first + k < params.depth) {
                quad = load_a4(a_start(b, first_row + i).x + first + k, first + k);
            }
            for (var j = 0u; j < 4u; j++) {
                tile_a[(k + j) * (TILE_ROWS / 4u) + i / 4u][i % 4u] = Number(quad[j]);
            }
        }
        for (var i = thread / 4u; i < TILE_COLUMNS; i += THREADS / 4u) {
            var quad = vec4<f32>();
            if (first + k < params.depth) {
                quad = load_w4(w_start(b, first_column + i).x + first + k, first + k);
            }
            for (var j = 0u; j < 4u; j++) {
                tile_w[(k + j) * (TILE_COLUMNS / 4u) + i / 4u][i % 4u] = Number(quad[j]);
            }
        }
        workgroupBarrier();
        for (var k = 0u; k < 16u; k++) {
            var x: array<vec4<Number>, THREAD_ROWS>;
            for (var i = 0u; i < THREAD_ROWS; i++) {
                x[i] = tile_a[k * (TILE_ROWS / 4u) + i * GROUP_Y + local.y];
            }
            for (var j = 0u; j < THREAD_COLUMNS; j++) {
                let y = tile_w[k * (TILE_COLUMNS / 4u) + j * GROUP_X + local.x];
                for (var i = 0u; i < THREAD_ROWS; i++) {
                    short[i * THREAD_COLUMNS + j] += mat4x4<Number>(x[i].x * y, x[i].y * y, x[i].z * y, x[i].w * y);
                }
            }
        }
        if (SHORT_SUMS) {
            for (var i = 0u; i < BLOCKS; i++) {
                sums[i] += whole(short[i]);
                short[i] = mat4x4<Number>();
            }
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < THREAD_ROWS; i++) {
        for (var j = 0u; j < THREAD_COLUMNS; j++) {
            let row = first_row + (i * GROUP_Y + local.y) * 4u;
            let column = first_column + (j * GROUP_X + local.x) * 4u;
            let block = i * THREAD_COLUMNS + j;
            store_block(b, row, column, sums[block] + whole(short[block]));
        }
    }
}
