//! Threads of a browser that share the products of a matmul.
//!
//! The engine's memory belongs to one thread. Where the page is isolated from other origins, the package starts further workers with a
//! memory that they share, and one function in it ([`super::products`]). The engine copies packed rows and weights there, the workers
//! and the engine's own thread take groups of rows in turns, and the sums are copied back. Which thread computes a group changes no
//! bit of it.

use std::cell::OnceCell;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::products::{self, TILE};

#[wasm_bindgen]
extern "C" {
    /// The shared memory, and this thread's part of the work: `www/src/package/crew.ts`.
    pub type Crew;

    /// Makes room for products of so many tiles, of which `group` are taken at a time, with at most so many panels, and copies the packed
    /// rows. `sums` is the number of sums of a tile with a panel. False where there is no room, or a thread has failed.
    #[wasm_bindgen(method)]
    fn begin(this: &Crew, rows: &[f32], depth: u32, tiles: u32, group: u32, panels: u32, sums: u32) -> bool;

    /// Copies so many packed panels, and lets the threads begin. The products of two calls may be under way.
    #[wasm_bindgen(method)]
    fn post(this: &Crew, weights: &[f32], panels: u32);

    /// Ends the products that were posted first, and copies their sums. False if a thread has failed, now or before.
    #[wasm_bindgen(method)]
    fn take(this: &Crew, sums: &mut [f32]) -> bool;

    /// Bytes of the shared memory.
    #[wasm_bindgen(method, getter)]
    fn bytes(this: &Crew) -> f64;
}

thread_local! {
    static CREW: OnceCell<Crew> = const { OnceCell::new() };
}

/// The module of the function for a shared memory; undefined where the browser refuses it.
pub(crate) fn module() -> JsValue {
    products::compiled(true).map_or(JsValue::UNDEFINED, JsValue::from)
}

/// Lets these threads take part from now on.
pub(crate) fn join(crew: Crew) {
    // There is one crew for a module.
    let _ = CREW.with(|slot| slot.set(crew));
}

/// Bytes of the memory that the threads share.
pub(crate) fn bytes() -> u64 {
    CREW.with(|slot| slot.get().map_or(0.0, Crew::bytes)) as u64
}

/// The products of packed rows with the weights of one task after another.
pub(super) struct Shared<'a> {
    crew: &'a Crew,
    tiles: usize,
    depth: usize,
}

impl Shared<'_> {
    /// Calls `with` with the threads, or without where there are none or no room: for `a`, packed to tiles of `depth`, in groups of so
    /// many tiles, and for tasks of at most so many columns.
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

    /// Begins with the products of these panels.
    pub(super) fn post(&self, weights: &[f32]) {
        self.crew.post(weights, (weights.len() / (TILE[1] * self.depth)) as u32);
    }

    /// The sums `[group, panel, tile, row, column]` of the weights that were posted first, of so many columns. None if a thread has failed.
    pub(super) fn take(&self, columns: usize) -> Option<Vec<f32>> {
        let [rows, across] = TILE;
        let mut sums = vec![0.0; columns.next_multiple_of(across) * self.tiles * rows];
        self.crew.take(&mut sums).then_some(sums)
    }
}
