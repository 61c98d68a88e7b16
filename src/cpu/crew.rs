//! Browser threads that share the products of a matmul.
//!
//! The engine's memory belongs to one thread. If the page is cross-origin isolated, the package starts additional workers with a
//! shared memory, in which they run a single function ([`super::products`]). The engine copies packed rows and weights to this
//! memory. The workers and the engine's own thread then take groups of rows in turn, and the sums are copied back. The results do
//! not depend on which thread computes a group.

use std::cell::OnceCell;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::products::{self, TILE};

#[wasm_bindgen]
extern "C" {
    /// The shared memory, and this thread's share of the work: `www/src/package/crew.ts`.
    pub type Crew;

    /// Allocates room for the products of `tiles` tiles, which are taken in groups of `group`, with at most `panels` panels, and
    /// copies the packed rows. `sums` is the number of sums of one tile with one panel. Returns false if there is not enough room
    /// or a thread has failed.
    #[wasm_bindgen(method)]
    fn begin(this: &Crew, rows: &[f32], depth: u32, tiles: u32, group: u32, panels: u32, sums: u32) -> bool;

    /// Copies `panels` packed panels, and lets the threads start. The products of two calls may be in progress at the same time.
    #[wasm_bindgen(method)]
    fn post(this: &Crew, weights: &[f32], panels: u32);

    /// Waits for the products that were posted first, and copies their sums. Returns false if a thread has ever failed.
    #[wasm_bindgen(method)]
    fn take(this: &Crew, sums: &mut [f32]) -> bool;

    /// Bytes of the shared memory.
    #[wasm_bindgen(method, getter)]
    fn bytes(this: &Crew) -> f64;
}

thread_local! {
    static CREW: OnceCell<Crew> = const { OnceCell::new() };
}

/// The compiled module of the function for a shared memory; undefined if the browser rejects it.
pub(crate) fn module() -> JsValue {
    products::compiled(true).map_or(JsValue::UNDEFINED, JsValue::from)
}

/// Makes this crew's threads take part in later products.
pub(crate) fn join(crew: Crew) {
    // There is one crew per module.
    let _ = CREW.with(|slot| slot.set(crew));
}

/// Bytes of the memory that the threads share.
pub(crate) fn bytes() -> u64 {
    CREW.with(|slot| slot.get().map_or(0.0, Crew::bytes)) as u64
}

/// The products of packed rows with the weights of a sequence of tasks.
pub(super) struct Shared<'a> {
    crew: &'a Crew,
    tiles: usize,
    depth: usize,
}

impl Shared<'_> {
    /// Calls `with` with the threads, or with `None` if there are no threads or not enough room. The rows `a` are packed in tiles
    /// of depth `depth`, which are taken in groups of `group`, and each task has at most `columns` columns.
    pub(super) fn begin<T>(
        a: &[f32],
        [depth, group, columns]: [usize; 3],
        with: impl FnOnce(Option<Shared<'_>>) -> T,
    ) -> T {
        let [rows, across] = TILE;
        let (tiles, panels) = (a.len() / (rows * depth), columns.div_ceil(across));
        CREW.with(|slot| {
            let crew = slot.get().filter(|crew| {
                crew.begin(a, depth as u32, tiles as u32, group as u32, panels as u32, (rows * across) as u32)
            });
            with(crew.map(|crew| Shared { crew, tiles, depth }))
        })
    }

    /// Starts the products with these panels.
    pub(super) fn post(&self, weights: &[f32]) {
        self.crew.post(weights, (weights.len() / (TILE[1] * self.depth)) as u32);
    }

    /// The sums `[group, panel, tile, row, column]` of the weights that were posted first, which have `columns` columns. `None` if
    /// a thread has failed.
    pub(super) fn take(&self, columns: usize) -> Option<Vec<f32>> {
        let [rows, across] = TILE;
        let mut sums = vec![0.0; columns.next_multiple_of(across) * self.tiles * rows];
        self.crew.take(&mut sums).then_some(sums)
    }
}
