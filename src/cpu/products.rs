//! Products of a matmul in WebAssembly, by a module of one function that the engine assembles.
//!
//! It has two reasons. Relaxed SIMD fuses each product with its sum where the processor can, but a WebAssembly file with relaxed
//! instructions cannot be started by a browser that does not know them: there, the module multiplies and adds. And the module can
//! have a memory that threads share, which the engine itself cannot ([`super::crew`]). The function computes sums of a forward pass
//! only, so that weights keep their bits.

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::wasm_bindgen;

/// Rows and columns of a tile. Twelve sums, two vectors of weights and one of a row leave one of 16 registers free.
pub(super) const TILE: [usize; 2] = [6, 8];

/// Elements of a vector.
const LANES: usize = 4;

#[wasm_bindgen]
extern "C" {
    type Exports;

    /// `sums[panel, tile, row, column]` of so many panels of `w`, as [`super::matmul`] packs them, and so many tiles of `a`.
    #[wasm_bindgen(method)]
    fn products(
        this: &Exports,
        a: *const f32,
        w: *const f32,
        depth: u32,
        tiles: u32,
        panels: u32,
        sums: *mut f32,
    );
}

/// The function, with the memory of the engine.
pub(super) struct Products(Exports);

impl Products {
    /// None where the browser refuses the module.
    pub(super) fn new() -> Option<Self> {
        let module = compiled(false)?;
        let memory = js_sys::Object::new();
        js_sys::Reflect::set(&memory, &"memory".into(), &wasm_bindgen::memory()).ok()?;
        let imports = js_sys::Object::new();
        js_sys::Reflect::set(&imports, &"engine".into(), &memory).ok()?;
        let instance = js_sys::WebAssembly::Instance::new(&module, &imports).ok()?;
        Some(Self(instance.exports().unchecked_into()))
    }

    /// The sums of all tiles of `a` with all panels of `w`.
    pub(super) fn run(&self, a: &[f32], w: &[f32], depth: usize, sums: &mut [f32]) {
        let [rows, columns] = TILE;
        let (tiles, panels) = (a.len() / (rows * depth), w.len() / (columns * depth));
        let sums = &mut sums[..panels * tiles * rows * columns];
        if !sums.is_empty() && depth > 0 {
            self.0.products(
                a.as_ptr(),
                w.as_ptr(),
                depth as u32,
                tiles as u32,
                panels as u32,
                sums.as_mut_ptr(),
            );
        }
    }
}

/// The module, with instructions that the browser knows, for the engine's memory or for one that threads share.
pub(super) fn compiled(shared: bool) -> Option<js_sys::WebAssembly::Module> {
    let of = |fused| {
        let bytes = js_sys::Uint8Array::from(&module(fused, shared)[..]);
        js_sys::WebAssembly::Module::new(&bytes).ok()
    };
    of(true).or_else(|| of(false))
}

/// Operations, and types of values, by their numbers in the binary format.
mod op {
    pub(super) const LOOP: u8 = 0x03;
    pub(super) const END: u8 = 0x0b;
    pub(super) const BRANCH_IF: u8 = 0x0d;
    pub(super) const GET: u8 = 0x20;
    pub(super) const SET: u8 = 0x21;
    pub(super) const TEE: u8 = 0x22;
    pub(super) const CONST: u8 = 0x41;
    pub(super) const ADD: u8 = 0x6a;
    pub(super) const SUB: u8 = 0x6b;
    pub(super) const MUL: u8 = 0x6c;
    pub(super) const VOID: u8 = 0x40;
    pub(super) const I32: u8 = 0x7f;
    pub(super) const V128: u8 = 0x7b;
    /// Vector operations follow this byte.
    pub(super) const VECTOR: u8 = 0xfd;
    pub(super) const LOAD: u32 = 0x00;
    pub(super) const LOAD_SPLAT: u32 = 0x09;
    pub(super) const STORE: u32 = 0x0b;
    pub(super) const ZEROS: u32 = 0x0c;
    pub(super) const VECTORS_ADD: u32 = 0xe4;
    pub(super) const VECTORS_MUL: u32 = 0xe6;
    pub(super) const RELAXED_MULTIPLY_ADD: u32 = 0x105;
}

/// The local variables: the parameters of the function first.
mod local {
    pub(super) const A: u32 = 0;
    pub(super) const W: u32 = 1;
    pub(super) const DEPTH: u32 = 2;
    pub(super) const TILES: u32 = 3;
    pub(super) const PANELS: u32 = 4;
    pub(super) const SUMS: u32 = 5;
    /// Where the tile's rows are read, where they end, and where the panel's columns are read.
    pub(super) const A_AT: u32 = 6;
    pub(super) const A_END: u32 = 7;
    pub(super) const W_AT: u32 = 8;
    /// Tiles that are left in the panel.
    pub(super) const LEFT: u32 = 9;
    /// The vectors: the tile, the weights, and an element of a row.
    pub(super) const TILE: u32 = 10;
}

/// The instructions of a function.
struct Code(Vec<u8>);

impl Code {
    /// A number in the variable-length format of WebAssembly.
    fn number(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn of(&mut self, op: u8, local: u32) {
        self.0.push(op);
        self.number(local);
    }

    /// A constant below 2^31, as a signed number.
    fn constant(&mut self, value: usize) {
        let mut value = value as u32;
        self.0.push(op::CONST);
        while value >= 0x40 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn vector(&mut self, op: u32) {
        self.0.push(op::VECTOR);
        self.number(op);
    }

    /// The offset and the alignment, of 4 bytes, of a load or a store.
    fn at(&mut self, bytes: usize) {
        self.0.push(2);
        self.number(bytes as u32);
    }

    /// `local += bytes`.
    fn advance(&mut self, local: u32, bytes: usize) {
        self.of(op::GET, local);
        self.constant(bytes);
        self.0.push(op::ADD);
        self.of(op::SET, local);
    }

    /// `local += DEPTH * bytes`, into another.
    fn beyond(&mut self, local: u32, bytes: usize, into: u32) {
        self.of(op::GET, local);
        self.of(op::GET, local::DEPTH);
        self.constant(bytes);
        self.0.extend([op::MUL, op::ADD]);
        self.of(op::SET, into);
    }

    fn copy(&mut self, from: u32, to: u32) {
        self.of(op::GET, from);
        self.of(op::SET, to);
    }

    fn begin(&mut self) {
        self.0.extend([op::LOOP, op::VOID]);
    }

    /// Repeats the innermost loop while the local, after a subtraction of 1, is not 0.
    fn repeat(&mut self, local: u32) {
        self.of(op::GET, local);
        self.constant(1);
        self.0.push(op::SUB);
        self.of(op::TEE, local);
        self.0.extend([op::BRANCH_IF, 0, op::END]);
    }
}

/// The module, in the binary format.
fn module(fused: bool, shared: bool) -> Vec<u8> {
    let section = |id: u8, body: &[u8]| {
        let mut code = Code(vec![id]);
        code.number(body.len() as u32);
        code.0.extend(body);
        code.0
    };
    let function = function(fused);
    // Of any size. A shared memory has a limit, here that of the format: 65,536 pages.
    let memory: &[u8] = if shared { b"\x03\0\x80\x80\x04" } else { b"\0\0" };
    let mut code = Code(vec![1]);
    code.number(function.len() as u32);
    code.0.extend(function);
    [
        b"\0asm\x01\0\0\0".to_vec(),
        // One type, of a function with six numbers as parameters and without a result.
        section(1, &[&[1, 0x60, 6], &[op::I32; 6][..], &[0]].concat()),
        section(2, &[&b"\x01\x06engine\x06memory\x02"[..], memory].concat()),
        section(3, &[1, 0]),
        section(7, b"\x01\x08products\0\0"),
        section(10, &code.0),
    ]
    .concat()
}

/// The variables of the function, and its instructions: `fused` multiply-adds, or products and sums.
fn function(fused: bool) -> Vec<u8> {
    let [rows, columns] = TILE;
    let vectors = columns / LANES;
    let sum = |row: usize, vector: usize| local::TILE + (row * vectors + vector) as u32;
    let weights = |vector: usize| sum(rows, vector);
    let element = sum(rows + 1, 0);
    let numbers = local::TILE - local::A_AT;
    let mut code = Code(vec![2, numbers as u8, op::I32, (element + 1 - local::TILE) as u8, op::V128]);
    code.begin();
    code.copy(local::A, local::A_AT);
    code.copy(local::TILES, local::LEFT);
    code.begin();
    for (row, vector) in cells(rows, vectors) {
        code.vector(op::ZEROS);
        code.0.extend([0; 16]);
        code.of(op::SET, sum(row, vector));
    }
    code.copy(local::W, local::W_AT);
    code.beyond(local::A_AT, 4 * rows, local::A_END);
    code.begin();
    for vector in 0..vectors {
        code.of(op::GET, local::W_AT);
        code.vector(op::LOAD);
        code.at(4 * LANES * vector);
        code.of(op::SET, weights(vector));
    }
    for (row, vector) in cells(rows, vectors) {
        if vector == 0 {
            code.of(op::GET, local::A_AT);
            code.vector(op::LOAD_SPLAT);
            code.at(4 * row);
            code.of(op::SET, element);
        }
        code.of(op::GET, element);
        code.of(op::GET, weights(vector));
        if fused {
            code.of(op::GET, sum(row, vector));
            code.vector(op::RELAXED_MULTIPLY_ADD);
        } else {
            code.vector(op::VECTORS_MUL);
            code.of(op::GET, sum(row, vector));
            code.vector(op::VECTORS_ADD);
        }
        code.of(op::SET, sum(row, vector));
    }
    code.advance(local::W_AT, 4 * columns);
    code.advance(local::A_AT, 4 * rows);
    code.of(op::GET, local::A_END);
    code.of(op::GET, local::A_AT);
    code.0.extend([op::SUB, op::BRANCH_IF, 0, op::END]);
    for (row, vector) in cells(rows, vectors) {
        code.of(op::GET, local::SUMS);
        code.of(op::GET, sum(row, vector));
        code.vector(op::STORE);
        code.at(4 * (row * columns + vector * LANES));
    }
    code.advance(local::SUMS, 4 * rows * columns);
    code.repeat(local::LEFT);
    code.beyond(local::W, 4 * columns, local::W);
    code.repeat(local::PANELS);
    code.0.push(op::END);
    code.0
}

/// Every row with every vector of a tile.
fn cells(rows: usize, vectors: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |row| (0..vectors).map(move |vector| (row, vector)))
}
