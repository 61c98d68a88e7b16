//! Many small f32 tensors side by side in one buffer, formed for all branches by one dispatch: a model's vectors, an
//! adapter's tensors.

use super::tensors::TensorId;
use crate::error::{Result, bail};
use crate::gpu::{Backend, Buffer, MemoryClass};
use crate::kernel::step::FROZEN;

/// A tensor of a [`Packed`].
#[derive(Clone, Copy, Debug)]
struct Place {
    /// What its random direction is drawn with.
    ordinal: TensorId,
    /// Elements.
    elements: u64,
    /// First quad.
    quad: u32,
    trained: bool,
}

/// Tensors side by side, each beginning with a whole quad.
#[derive(Clone, Debug)]
pub struct Packed {
    /// `[quads * 4]` f32.
    pub stored: Buffer,
    /// For each quad: its index in its tensor, the tensor's ordinal or [`FROZEN`]. None where nothing is ever trained.
    pub counters: Option<Buffer>,
    /// Quads of all tensors.
    pub quads: u32,
    places: Vec<Place>,
}

/// Quads whose counters are written at a time: 4 MiB of them.
const CHUNK: u32 = 1 << 19;

impl Packed {
    /// Of zeros: ordinal and elements of each tensor, all trained.
    ///
    /// # Errors
    /// `limit-exceeded` naming the buffer when they do not fit one binding.
    pub fn allocate(
        backend: &dyn Backend,
        name: &str,
        class: MemoryClass,
        tensors: impl IntoIterator<Item = (TensorId, u64)>,
    ) -> Result<Packed> {
        let mut packed = Packed::fixed(backend, name, class, tensors)?;
        let bytes = u64::from(packed.quads) * 8;
        packed.counters = Some(backend.create(&format!("{name}: counters"), bytes, class)?);
        packed.train(backend, &|_| true)?;
        Ok(packed)
    }

    /// Of zeros, none of which is ever trained.
    ///
    /// # Errors
    /// As [`Packed::allocate`].
    pub fn fixed(
        backend: &dyn Backend,
        name: &str,
        class: MemoryClass,
        tensors: impl IntoIterator<Item = (TensorId, u64)>,
    ) -> Result<Packed> {
        let mut places = Vec::new();
        let mut quads = 0_u64;
        for (ordinal, elements) in tensors {
            places.push(Place { ordinal, elements, quad: quads as u32, trained: false });
            quads += elements.div_ceil(4);
        }
        let limit = backend.limits().whole_binding();
        if quads * 16 > limit {
            bail!(LimitExceeded, "{name}: {} bytes, a binding holds {limit}", quads * 16);
        }
        let stored = backend.create(name, quads * 16, class)?;
        Ok(Packed { stored, counters: None, quads: quads as u32, places })
    }

    /// First element of tensor number `index`.
    pub fn first(&self, index: usize) -> u32 {
        self.places[index].quad * 4
    }

    /// Elements between one branch's tensors and the next's.
    pub fn stride(&self) -> u32 {
        self.quads * 4
    }

    /// Whether any tensor is trained.
    pub fn is_trained(&self) -> bool {
        self.places.iter().any(|place| place.trained)
    }

    /// Chooses the tensors that are trained, by ordinal.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn train(&mut self, backend: &dyn Backend, trained: &dyn Fn(TensorId) -> bool) -> Result<()> {
        for place in &mut self.places {
            place.trained = trained(place.ordinal);
        }
        self.write_counters(backend)
    }

    fn write_counters(&self, backend: &dyn Backend) -> Result<()> {
        let counters = self.places.iter().flat_map(|place| {
            let ordinal = if place.trained { place.ordinal as u32 } else { FROZEN };
            (0..place.elements.div_ceil(4) as u32).map(move |quad| [quad, ordinal])
        });
        write_chunks(backend, self.counters.as_ref(), counters)
    }

    /// Within tensor number `index`, trains of every `columns` quads (a row) only `first..end`.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn train_columns(
        &self,
        backend: &dyn Backend,
        columns: impl Fn(usize) -> (u32, std::ops::Range<u32>),
    ) -> Result<()> {
        let counters = self.places.iter().enumerate().flat_map(|(index, place)| {
            let (width, trained) = columns(index);
            (0..place.elements.div_ceil(4) as u32).map(move |quad| {
                let inside = trained.contains(&(quad % width.max(1)));
                [quad, if place.trained && inside { place.ordinal as u32 } else { FROZEN }]
            })
        });
        write_chunks(backend, self.counters.as_ref(), counters)
    }

    /// Writes a tensor's values from its element `first`, a multiple of 4, on.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn write(&self, backend: &dyn Backend, index: usize, first: u64, values: &[f32]) -> Result<()> {
        let offset = (u64::from(self.first(index)) + first) * 4;
        backend.write(&self.stored, offset, bytemuck::cast_slice(values))
    }

    /// Reads a tensor back.
    ///
    /// # Errors
    /// Those of [`Backend::read`].
    pub async fn read(&self, backend: &dyn Backend, index: usize) -> Result<Vec<f32>> {
        let offset = u64::from(self.first(index)) * 4;
        let bytes = backend.read(&self.stored, offset, self.places[index].elements * 4).await?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }
}

fn write_chunks(
    backend: &dyn Backend,
    buffer: Option<&Buffer>,
    counters: impl Iterator<Item = [u32; 2]>,
) -> Result<()> {
    let Some(buffer) = buffer else { return Ok(()) };
    let mut counters = counters.peekable();
    let mut offset = 0;
    while counters.peek().is_some() {
        let chunk: Vec<[u32; 2]> = counters.by_ref().take(CHUNK as usize).collect();
        backend.write(buffer, offset, bytemuck::cast_slice(&chunk))?;
        offset += chunk.len() as u64 * 8;
    }
    Ok(())
}
