//! Chooses how matmuls are cut on a device, and measures them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::layout::Layout;
use super::matmul::{self, Params, Tensors};
use super::tiles::{self, Choice, TILES};
use super::{NO_BIAS, multiply_add, pack};
use crate::error::{Result, bail};
use crate::gpu::timer::{self, Timing};
use crate::gpu::{Backend, Buffer, CLASSES, MemoryClass, Recording, Tuning};
use crate::reference::Host;

/// A cut replaces the untuned one only where it is this many times as fast: noise must not choose.
const BETTER: f64 = 1.05;

/// A second or two on a software GPU, most of it compilation.
const TUNING: Timing = Timing { loop_ms: 4.0, rounds: 3, hopeless: 2.0, total_ms: 1000.0 };

/// Choices that were measured, by version and adapter: another version may have other kernels.
pub type Known = BTreeMap<String, String>;

/// The choice that is asked for: `untuned`, tiles by name, `auto`: that of this adapter in `known`, where one that is measured
/// now is put, or `auto-f16`: the same, with cuts that compute in f16 among those that are tried.
///
/// # Errors
/// `invalid-argument` naming the tiles there are; `limit-exceeded` where the device cannot run one; those of [`tune`].
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

/// Times every cut that suits the device on an example of each class, and chooses the fastest; `half`: also those that compute in f16.
///
/// # Errors
/// Those of [`Backend::create`] and [`Backend::run`].
pub async fn tune(backend: &dyn Backend, half: bool) -> Result<Choice> {
    let limits = backend.limits();
    let mut choice = Choice::untuned(&limits);
    let suited: Vec<usize> = (0..TILES.len()).filter(|tile| TILES[*tile].suits(&limits, half)).collect();
    for class in 0..CLASSES {
        let bench = Bench::new(backend, tiles::example(class)).await?;
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

/// Matmuls of a wide model, of SmolLM2's width, of few rows, of one row and of an adapter's rank: rows, columns, depth.
pub const SHAPES: &[[u32; 3]] = &[
    [512, 1024, 1024],
    [512, 576, 1536],
    [64, 1024, 1024],
    [16, 1024, 1024],
    [1, 1024, 1024],
    [512, 8, 1024],
];

/// What a cut of a matmul was measured to do.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Measured {
    /// Rows, columns, depth.
    pub shape: [u32; 3],
    /// Of [`TILES`].
    pub tile: &'static str,
    /// 10^9 operations a second.
    pub gflops: f64,
    /// The same, over what a kernel that only multiplies and adds does beside it.
    #[serde(rename = "of_multiply_add")]
    pub of_peak: f64,
}

/// Measures every cut of matmuls of these shapes, each after it was found to compute what the twin computes.
///
/// # Errors
/// `invalid-argument` naming a cut that computes something else; those of [`Backend::run`].
pub async fn measure(backend: &dyn Backend, shapes: &[[u32; 3]]) -> Result<Vec<Measured>> {
    const TIMING: Timing = Timing { loop_ms: 50.0, rounds: 7, hopeless: 20.0, total_ms: 60_000.0 };
    const THREADS: u32 = 4096;
    const ROUNDS: u32 = 512;
    let tiles: Vec<usize> = (0..TILES.len()).filter(|tile| TILES[*tile].runs(&backend.limits())).collect();
    let mut measured = Vec::new();
    for &shape in shapes {
        let bench = Bench::new(backend, shape).await?;
        bench.check(backend).await?;
        let mut recordings: Vec<Recording> = tiles.iter().map(|tile| bench.record(*tile)).collect();
        let peak_y = backend.create("sums", u64::from(THREADS) * 4, MemoryClass::Scratch)?;
        let mut peak = Recording::new();
        multiply_add::record(&mut peak, &bench.w, &peak_y, THREADS, ROUNDS);
        recordings.push(peak);
        let times = timer::time(backend, &recordings, &bench.c, TIMING).await?;
        let flops = 2.0 * shape.iter().map(|n| f64::from(*n)).product::<f64>();
        let peak = multiply_add::flops(THREADS, ROUNDS) / times[tiles.len()];
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
        let panels = |rows| matmul::panel_bytes(rows, depth, 1);
        let bench = Bench {
            shape,
            a: backend.create("a", bytes(rows, depth), MemoryClass::Scratch)?,
            w: backend.create("w", bytes(columns, depth), MemoryClass::Scratch)?,
            w_panels: backend.create("w in panels", panels(columns), MemoryClass::Scratch)?,
            panels: backend.create("panels", panels(rows), MemoryClass::Scratch)?,
            c: backend.create("c", bytes(rows, columns), MemoryClass::Scratch)?,
        };
        for (buffer, scale) in [(&bench.a, 1.0), (&bench.w, (3.0 / depth as f32).sqrt())] {
            // Fractional parts of the multiples of the golden ratio: spread over -1..1, and cheap.
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
        let tuning =
            Tuning { tiles: [tile as u8; CLASSES], panels: Some(self.panels.clone()), ..Tuning::default() };
        let mut recording = Recording::tuned(tuning);
        // As a step forms them: in the layout that the cut takes.
        let layout = matmul::layout(&recording, &params, 1, None);
        let w = if layout == Layout::Panels { &self.w_panels } else { &self.w };
        let tensors =
            Tensors { a: &self.a, w: w.into(), layout, vectors: &self.a, c: &self.c, activation: None };
        matmul::record(&mut recording, &params, 1, tensors);
        recording
    }

    /// Holds every cut's result against the twin's.
    async fn check(&self, backend: &dyn Backend) -> Result<()> {
        let host = Host::open();
        let twin = Bench::new(host.as_ref(), self.shape).await?;
        host.run(&twin.record(0)).await?;
        let expected = read(host.as_ref(), &twin.c).await?;
        let limits = backend.limits();
        for (tile, cut) in TILES.iter().enumerate().filter(|(_, cut)| cut.runs(&limits)) {
            let tolerance = if cut.half { 1e-2 } else { 1e-4 };
            // What an earlier cut left must not pass for this one's.
            backend.write(&self.c, 0, &vec![0xff; self.c.bytes() as usize])?;
            backend.run(&self.record(tile)).await?;
            let seen = read(backend, &self.c).await?;
            let far = |x: f32, y: f32| !x.is_finite() || (x - y).abs() > tolerance;
            let wrong = seen.iter().zip(&expected).find(|(x, y)| far(**x, **y));
            if let Some((x, y)) = wrong {
                bail!(InvalidArgument, "matmul {} of {:?}: {x}, expected {y}", cut.name, self.shape);
            }
        }
        Ok(())
    }
}

async fn read(backend: &dyn Backend, buffer: &Buffer) -> Result<Vec<f32>> {
    Ok(bytemuck::pod_collect_to_vec(&backend.read(buffer, 0, buffer.bytes()).await?))
}
