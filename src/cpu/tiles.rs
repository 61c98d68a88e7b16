//! Products of many rows.
//!
//! Both operands are packed, and a microkernel keeps a tile of sums in registers, as in BLIS (Van Zee and van de Geijn 2015). Every sum
//! runs over the whole depth in order, so that neither the size of a tile nor the number of threads changes it. The threads share the
//! columns. Each thread packs as many of its weights as the cache holds, and multiplies them with all rows. Weights are therefore read
//! from memory only once, and packed weights stay in the cache.

use std::cell::Cell;

use pulp::{Arch, Simd, WithSimd};

use super::finish::Finish;
use super::matrix::Matrix;
use super::threads::{self, chunks};

/// Maximum number of rows and columns of a tile.
const MOST: [usize; 2] = [12, 32];

/// Number of elements of packed weights that stay in the second-level cache.
const CACHED: usize = 64 * 1024;

/// Number of tasks for each thread if there are enough columns. With several tasks, the threads finish at about the same time.
const TASKS: usize = 4;

thread_local! {
    /// Buffers for packed rows and for packed weights. They are kept between calls, because the page faults of fresh memory take longer
    /// than packing does. Packed rows take at most 16 MiB, unless one branch has more.
    static PACKED_ROWS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
    static PACKED_WEIGHTS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Multiplies the rows `a` of all branches with weights that they share. `c` `[branch, row]` has the columns of each row that are
/// written, and `finish` an element for each branch.
pub(super) fn run(
    a: &[Matrix<'_>],
    w: Matrix<'_>,
    c: Vec<&mut [f32]>,
    [rows, depth]: [usize; 2],
    finish: &[Finish<'_>],
) {
    let [of_tile, across] = size();
    let columns = c.first().map_or(0, |c| c.len());
    // [branch, row / of_tile, k, row % of_tile]
    let tiles = rows.div_ceil(of_tile);
    let mut packed = PACKED_ROWS.take();
    packed.resize(a.len() * tiles * of_tile * depth, 0.0);
    chunks(&mut packed, of_tile * depth, |i, packed| {
        let first = i % tiles * of_tile;
        a[i / tiles].pack(first, of_tile.min(rows - first), depth, packed, of_tile, &mut Vec::new());
    });
    let panels = (CACHED / (across * depth.max(1))).min(columns.div_ceil(across * TASKS * threads::count()));
    let of_task = across * panels.max(1);
    let mut tasks: Vec<Task<'_, '_>> = (0..columns)
        .step_by(of_task)
        .map(|first| Task {
            a: &packed,
            w,
            first,
            c: Vec::with_capacity(c.len()),
            rows,
            tiles,
            depth,
            finish,
        })
        .collect();
    for row in c {
        tasks.iter_mut().zip(row.chunks_mut(of_task)).for_each(|(task, c)| task.c.push(c));
    }
    compute(tasks);
    PACKED_ROWS.set(packed);
}

fn compute(tasks: Vec<Task<'_, '_>>) {
    // With the function that the browser compiled, unless it has rejected it.
    #[cfg(target_arch = "wasm32")]
    if PRODUCTS.with(Option::is_some) {
        return in_browser(tasks);
    }
    threads::tasks(tasks, |task| Arch::new().dispatch(task));
}

#[cfg(target_arch = "wasm32")]
thread_local! {
    static PRODUCTS: Option<super::products::Products> = super::products::Products::new();
}

/// Computes the tasks with the threads of the browser, if there are threads and enough work.
#[cfg(target_arch = "wasm32")]
fn in_browser(tasks: Vec<Task<'_, '_>>) {
    /// Waking the threads takes about as long as this many multiplications.
    const LEAST: usize = 4 << 20;
    let Some(first) = tasks.first() else { return };
    let columns = first.c.first().map_or(0, |c| c.len());
    if first.a.len() * columns * tasks.len() < LEAST {
        return tasks.into_iter().for_each(Task::alone);
    }
    super::crew::Shared::begin(first.a, [first.depth, first.group(), columns], |shared| {
        let Some(shared) = shared else { return tasks.into_iter().for_each(Task::alone) };
        // While the threads multiply, this one packs the weights of the next task.
        let mut posted: Option<Task<'_, '_>> = None;
        let mut panels = Vec::new();
        for task in tasks {
            task.pack(super::products::TILE[1], &mut panels);
            shared.post(&panels);
            if let Some(before) = posted.replace(task) {
                before.end(&shared);
            }
        }
        if let Some(last) = posted {
            last.end(&shared);
        }
    });
}

/// Rows and columns of a tile.
fn size() -> [usize; 2] {
    #[cfg(target_arch = "wasm32")]
    if PRODUCTS.with(Option::is_some) {
        return super::products::TILE;
    }
    Arch::new().dispatch(TileSize)
}

/// Rows and columns of a tile with these instructions: the largest that leaves registers for the operands.
fn tile_size<S: Simd>() -> [usize; 2] {
    match S::F32_LANES {
        16 => [12, 32],
        8 => [6, 16],
        4 => [4, 8],
        _ => [4, 2],
    }
}

struct TileSize;

impl WithSimd for TileSize {
    type Output = [usize; 2];

    fn with_simd<S: Simd>(self, _: S) -> [usize; 2] {
        tile_size::<S>()
    }
}

/// A range of columns of `c`, which one thread computes.
struct Task<'a, 'c> {
    /// The packed rows.
    a: &'a [f32],
    w: Matrix<'a>,
    /// The first column.
    first: usize,
    /// The range of columns in each row, `[branch, row]`.
    c: Vec<&'c mut [f32]>,
    /// Number of rows in a branch, and number of their tiles.
    rows: usize,
    tiles: usize,
    depth: usize,
    finish: &'a [Finish<'a>],
}

impl WithSimd for Task<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.tiles::<S, 12>(simd),
            8 => self.tiles::<S, 6>(simd),
            _ => self.tiles::<S, 4>(simd),
        }
    }
}

impl Task<'_, '_> {
    #[inline(always)]
    fn tiles<S: Simd, const ROWS: usize>(mut self, simd: S) {
        let across = tile_size::<S>()[1];
        let mut panels = PACKED_WEIGHTS.take();
        self.pack(across, &mut panels);
        let mut sums = [[0.0; MOST[1]]; MOST[0]];
        for (i, a) in self.a.chunks_exact(self.depth * ROWS).enumerate() {
            for (n, panel) in panels.chunks_exact(self.depth * across).enumerate() {
                product::<S, ROWS>(simd, a.as_chunks().0, S::as_simd_f32s(panel).0, &mut sums);
                self.write(sums[..ROWS].iter_mut().map(|sums| &mut sums[..across]), i, ROWS, n * across);
            }
        }
        PACKED_WEIGHTS.set(panels);
    }

    /// Like [`Self::tiles`], but with the function that the browser compiled, in this thread.
    #[cfg(target_arch = "wasm32")]
    fn alone(mut self) {
        let [rows, across] = super::products::TILE;
        let mut panels = PACKED_WEIGHTS.take();
        self.pack(across, &mut panels);
        let group = self.group();
        // The columns of all panels.
        let columns = panels.len() / self.depth;
        let mut sums = vec![0.0; columns * group * rows];
        for (i, a) in self.a.chunks(group * rows * self.depth).enumerate() {
            let sums = &mut sums[..columns * (a.len() / self.depth)];
            PRODUCTS.with(|products| {
                if let Some(products) = products {
                    products.run(a, &panels, self.depth, sums);
                }
            });
            self.write_group(i * group, sums);
        }
        PACKED_WEIGHTS.set(panels);
    }

    /// Writes the sums that the threads computed, or computes them in this thread if one has failed.
    #[cfg(target_arch = "wasm32")]
    fn end(mut self, shared: &super::crew::Shared<'_>) {
        let Some(mut sums) = shared.take(self.c[0].len()) else { return self.alone() };
        let [rows, across] = super::products::TILE;
        let group = self.group();
        let of_group = self.c[0].len().next_multiple_of(across) * group * rows;
        for (i, sums) in sums.chunks_mut(of_group).enumerate() {
            self.write_group(i * group, sums);
        }
    }

    /// Number of tiles of packed rows that are multiplied before their sums are written, so that the sums stay in the cache.
    #[cfg(target_arch = "wasm32")]
    fn group(&self) -> usize {
        const ROWS_CACHED: usize = 16 * 1024;
        (ROWS_CACHED / (super::products::TILE[0] * self.depth)).max(1)
    }

    /// Writes the sums `[panel, tile, row, column]` of a group of tiles that starts at tile `first`.
    #[cfg(target_arch = "wasm32")]
    fn write_group(&mut self, first: usize, sums: &mut [f32]) {
        let [rows, across] = super::products::TILE;
        let tiles = sums.len() / (self.c[0].len().next_multiple_of(across) * rows);
        for (at, sums) in sums.chunks_exact_mut(rows * across).enumerate() {
            let (panel, tile) = (at / tiles, first + at % tiles);
            self.write(sums.chunks_exact_mut(across), tile, rows, panel * across);
        }
    }

    /// Packs the weights to `[column / across, k, column % across]`.
    #[inline(always)]
    fn pack(&self, across: usize, panels: &mut Vec<f32>) {
        let columns = self.c[0].len();
        panels.resize(columns.next_multiple_of(across) * self.depth, 0.0);
        let mut spare = Vec::new();
        for (i, panel) in panels.chunks_exact_mut(self.depth * across).enumerate() {
            let (first, columns) = (self.first + i * across, across.min(columns - i * across));
            self.w.pack(first, columns, self.depth, panel, across, &mut spare);
        }
    }

    /// Writes the sums of a tile, starting at `column` of the task. Rows and columns beyond the end of `c` are left out.
    #[inline(always)]
    fn write<'s>(
        &mut self,
        sums: impl Iterator<Item = &'s mut [f32]>,
        tile: usize,
        of_tile: usize,
        column: usize,
    ) {
        let (branch, row) = (tile / self.tiles, tile % self.tiles * of_tile);
        let rows = &mut self.c[branch * self.rows..][row..self.rows];
        for (c, sums) in rows.iter_mut().zip(sums) {
            let columns = sums.len().min(c.len() - column);
            self.finish[branch].run(&mut sums[..columns], self.first + column, &mut c[column..][..columns]);
        }
    }
}

/// The sums of one tile.
#[inline(always)]
fn product<S: Simd, const ROWS: usize>(
    simd: S,
    a: &[[f32; ROWS]],
    w: &[S::f32s],
    sums: &mut [[f32; MOST[1]]; MOST[0]],
) {
    let mut tile = [[simd.splat_f32s(0.0); 2]; ROWS];
    for (a, w) in a.iter().zip(w.as_chunks::<2>().0) {
        for (tile, a) in tile.iter_mut().zip(a) {
            let a = simd.splat_f32s(*a);
            tile[0] = simd.mul_add_e_f32s(a, w[0], tile[0]);
            tile[1] = simd.mul_add_e_f32s(a, w[1], tile[1]);
        }
    }
    for (sums, tile) in sums.iter_mut().zip(&tile) {
        sums[..2 * S::F32_LANES].copy_from_slice(bytemuck::cast_slice(tile));
    }
}
