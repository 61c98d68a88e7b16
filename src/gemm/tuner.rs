//! Chooses the matmul tiles for a device by timing them, and benchmarks each tile.

use std::collections::BTreeMap;

use serde::Serialize;

use super::choice::{CLASSES, Choice, example};
use super::layout::Layout;
use super::plan::{Plan, Tensors};
use super::tiles::TILES;
use crate::error::{Result, bail};
use crate::gpu::timer::{self, Timing};
use crate::gpu::{Backend, Buffer, MemoryClass, Recording};
use crate::kernel::matmul::Params;
use crate::kernel::{NO_BIAS, multiply_add, pack, panels};

/// A tile replaces the untuned one only if it is faster by this factor, so that the choice is not due to noise.
const BETTER: f64 = 1.05;

/// Takes a second or two on a software GPU, most of it for compilation.
const TUNING: Timing = Timing { loop_ms: 4.0, rounds: 3, hopeless: 2.0, total_ms: 1000.0 };

/// Measured choices, by version and adapter, since another version may have other kernels.
pub type Known = BTreeMap<String, String>;

/// The choice for `wanted`: `untuned`; names of tiles; `auto`, the choice for this adapter in `known`, which is measured and added
/// if it is missing; or `auto-f16`, which is the same but includes f16 tiles among the candidates.
///
/// # Errors
/// `invalid-argument` naming the existing tiles; `limit-exceeded` if the device cannot run one of them; the errors of [`tune`].
pub async fn choose(backend: &dyn Backend, wanted: &str, known: &mut Known) -> Result<Choice> {
    let limits = backend.limits();
    let half = match wanted {
        "untuned" => return Ok(Choice::untuned(&limits)),
        "auto" => false,
        "auto-f16" => true,
        tiles => return tiles.parse::<Choice>()?.check(&limits),
    };
    let key = format!("{} {} {wanted}", env!("CARGO_PKG_VERSION"), backend.name());
    if let Some(choice) = known.get(&key).and_then(|text| text.parse().ok()) {
        return Ok(choice);
    }
    let choice = tune(backend, half).await?;
    known.insert(key, choice.to_string());
    Ok(choice)
}

/// Times every tile that suits the device on an example of each class, and chooses the fastest ones. `half`: also try f16 tiles.
///
/// # Errors
/// The errors of [`Backend::create`] and [`Backend::run`].
pub async fn tune(backend: &dyn Backend, half: bool) -> Result<Choice> {
    let limits = backend.limits();
    let mut choice = Choice::untuned(&limits);
    let suited: Vec<usize> = (0..TILES.len()).filter(|tile| TILES[*tile].suits(&limits, half)).collect();
    for class in 0..CLASSES {
        let bench = Bench::new(backend, example(class, limits.software)).await?;
        let recordings: Vec<Recording> = suited.iter().map(|tile| bench.record(*tile)).collect();
        let times = timer::time(backend, &recordings, &bench.c, TUNING).await?;
        let timed: Vec<(usize, f64)> = suited.iter().copied().zip(times).collect();
        let untuned = timed.iter().find(|(tile, _)| *tile == usize::from(choice.tiles[class]));
        let fastest = timed.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        if let (Some(&(tile, ms)), Some(&(_, untuned))) = (fastest, untuned)
            && ms * BETTER < untuned
        {
            choice.tiles[class] = tile as u8;
        }
    }
    Ok(choice)
}

/// Matmuls of a wide model, of SmolLM2's width, of few rows, of one row, and of an adapter's rank: rows, columns, depth.
pub const SHAPES: &[[u32; 3]] = &[
    [512, 1024, 1024],
    [512, 576, 1536],
    [64, 1024, 1024],
    [16, 1024, 1024],
    [1, 1024, 1024],
    [512, 8, 1024],
];

/// Matmuls that are large enough for a hardware GPU: those of OPT-1.3B, and a square one.
pub const LARGE_SHAPES: &[[u32; 3]] = &[[512, 2048, 2048], [512, 8192, 2048], [512, 2048, 8192], [4096; 3]];

/// The measured speed of a tile.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Measured {
    /// Rows, columns, depth.
    pub shape: [u32; 3],
    /// The tile's name in [`TILES`].
    pub tile: &'static str,
    /// 10^9 operations per second.
    pub gflops: f64,
    /// The speed relative to that of a kernel that only multiplies and adds, measured alongside.
    #[serde(rename = "of_multiply_add")]
    pub of_peak: f64,
}

/// Measures matmuls of these shapes with every tile, after comparing the results of each tile with those of `reference`, the CPU backend.
///
/// # Errors
/// `invalid-argument` naming a tile that computes wrong results; the errors of [`Backend::run`].
pub async fn measure(
    backend: &dyn Backend,
    reference: &dyn Backend,
    shapes: &[[u32; 3]],
) -> Result<Vec<Measured>> {
    const TIMING: Timing = Timing { loop_ms: 20.0, rounds: 7, hopeless: 20.0, total_ms: 60_000.0 };
    const ROUNDS: u32 = 512;
    // Enough to fill the device.
    let threads: u32 = if backend.limits().software { 4096 } else { 1 << 18 };
    let tiles: Vec<usize> = (0..TILES.len()).filter(|tile| TILES[*tile].runs(&backend.limits())).collect();
    let mut measured = Vec::new();
    for &shape in shapes {
        let bench = Bench::new(backend, shape).await?;
        bench.check(backend, reference).await?;
        let mut recordings: Vec<Recording> = tiles.iter().map(|tile| bench.record(*tile)).collect();
        let peak_y = backend.create("sums", u64::from(threads) * 4, MemoryClass::Scratch)?;
        let mut peak = Recording::new();
        multiply_add::record(&mut peak, &bench.w, &peak_y, threads, ROUNDS);
        recordings.push(peak);
        let times = timer::time(backend, &recordings, &bench.c, TIMING).await?;
        let flops = 2.0 * shape.iter().map(|n| f64::from(*n)).product::<f64>();
        let peak = multiply_add::flops(threads, ROUNDS) / times[tiles.len()];
        measured.extend(tiles.iter().zip(&times).map(|(tile, ms)| Measured {
            shape,
            tile: TILES[*tile].name,
            gflops: flops / ms / 1e6,
            of_peak: flops / ms / peak,
        }));
    }
    Ok(measured)
}

/// A matmul's buffers.
struct Bench {
    shape: [u32; 3],
    a: Buffer,
    w: Buffer,
    w_panels: Buffer,
    panels: Buffer,
    c: Buffer,
}

impl Bench {
    async fn new(backend: &dyn Backend, shape: [u32; 3]) -> Result<Bench> {
        let [rows, columns, depth] = shape;
        let bytes = |x: u32, y: u32| u64::from(x) * u64::from(y) * 4;
        let panels = |rows| panels::bytes(rows, depth, 1);
        let bench = Bench {
            shape,
            a: backend.create("a", bytes(rows, depth), MemoryClass::Scratch)?,
            w: backend.create("w", bytes(columns, depth), MemoryClass::Scratch)?,
            w_panels: backend.create("w in panels", panels(columns), MemoryClass::Scratch)?,
            panels: backend.create("panels", panels(rows), MemoryClass::Scratch)?,
            c: backend.create("c", bytes(rows, columns), MemoryClass::Scratch)?,
        };
        for (buffer, scale) in [(&bench.a, 1.0), (&bench.w, (3.0 / depth as f32).sqrt())] {
            // Fractional parts of multiples of the golden ratio: spread over -1..1, and cheap to compute.
            let values: Vec<f32> = (0..buffer.bytes() / 4)
                .map(|i| ((i as f64 * 0.618_033_988_749_895).fract() * 2.0 - 1.0) as f32 * scale)
                .collect();
            backend.write(buffer, 0, bytemuck::cast_slice(&values))?;
        }
        let params = pack::Params { rows: columns, depth, stride: depth, ..Default::default() };
        let mut recording = Recording::new();
        pack::record(&mut recording, &params, 1, (&bench.w).into(), (&bench.w_panels).into());
        backend.run(&recording).await?;
        Ok(bench)
    }

    fn record(&self, tile: usize) -> Recording {
        let [rows, columns, depth] = self.shape;
        let params = Params {
            rows,
            columns,
            depth,
            a_stride: depth,
            a_branch: rows * depth,
            c_stride: columns,
            bias: NO_BIAS,
            ..Default::default()
        };
        let choice = Choice { tiles: [tile as u8; CLASSES], ..Choice::default() };
        let mut plan = Plan::new(choice, Some(self.panels.clone()));
        let mut recording = Recording::new();
        // The weights have the layout in which a step would materialize them.
        let layout = plan.layout(&params, 1, None);
        let w = if layout == Layout::Panels { &self.w_panels } else { &self.w };
        let tensors =
            Tensors { a: &self.a, w: w.into(), layout, vectors: &self.a, c: &self.c, activation: None };
        plan.matmul(&mut recording, &params, 1, &tensors);
        recording
    }

    /// Compares the result of every tile with that of the CPU reference, for at most 16 rows.
    async fn check(&self, backend: &dyn Backend, reference: &dyn Backend) -> Result<()> {
        let [rows, columns, depth] = self.shape;
        let exact = Bench::new(reference, [rows.min(16), columns, depth]).await?;
        reference.run(&exact.record(0)).await?;
        let expected = read(reference, &exact.c).await?;
        let limits = backend.limits();
        for (index, tile) in TILES.iter().enumerate().filter(|(_, tile)| tile.runs(&limits)) {
            let tolerance = if tile.half() { 1e-2 } else { 1e-4 };
            // The result of an earlier tile must not be mistaken for that of this one.
            backend.write(&self.c, 0, &vec![0xff; self.c.bytes() as usize])?;
            backend.run(&self.record(index)).await?;
            let seen = read(backend, &self.c).await?;
            let far = |x: f32, y: f32| !x.is_finite() || (x - y).abs() > tolerance * y.abs().max(1.0);
            let wrong = seen.iter().zip(&expected).find(|(x, y)| far(**x, **y));
            if let Some((x, y)) = wrong {
                bail!(InvalidArgument, "matmul {} of {:?}: {x}, expected {y}", tile.name, self.shape);
            }
        }
        Ok(())
    }
}

async fn read(backend: &dyn Backend, buffer: &Buffer) -> Result<Vec<f32>> {
    Ok(bytemuck::pod_collect_to_vec(&backend.read(buffer, 0, buffer.bytes()).await?))
}
