//! Many small f32 tensors packed in one buffer, which one dispatch materializes for all branches: the norms and biases of a model,
//! or the tensors of an adapter.

use super::tensors::TensorId;
use crate::error::{Result, bail};
use crate::gpu::{Backend, Buffer, MemoryClass};
use crate::kernel::step::FROZEN;

/// A tensor in a [`Packed`] buffer.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The tensor's ordinal, from which its random direction is drawn.
    ordinal: TensorId,
    /// The number of elements.
    elements: u64,
    /// The tensor's offset in vec4s.
    vec4: u32,
    trained: bool,
}

/// Packed tensors. Each starts at a whole vec4.
#[derive(Clone, Debug)]
pub struct Packed {
    /// `[vec4s * 4]` f32.
    pub stored: Buffer,
    /// For each vec4, its index in its tensor, and the tensor's ordinal or [`FROZEN`]. `None` if no tensor is ever trained.
    pub counters: Option<Buffer>,
    /// The total number of vec4s.
    pub vec4s: u32,
    places: Vec<Place>,
}

/// The number of counters that are written at a time: 4 MiB.
const CHUNK: u32 = 1 << 19;

impl Packed {
    /// Allocates tensors of zeros, all of them trained. `tensors` gives each one's ordinal and number of elements.
    ///
    /// # Errors
    /// `limit-exceeded` naming the buffer if they do not fit in one binding.
    pub fn allocate(
        backend: &dyn Backend,
        name: &str,
        class: MemoryClass,
        tensors: impl IntoIterator<Item = (TensorId, u64)>,
    ) -> Result<Packed> {
        let mut packed = Packed::fixed(backend, name, class, tensors)?;
        let bytes = u64::from(packed.vec4s) * 8;
        packed.counters = Some(backend.create(&format!("{name}: counters"), bytes, class)?);
        packed.train(backend, &|_| true)?;
        Ok(packed)
    }

    /// Allocates tensors of zeros that are never trained.
    ///
    /// # Errors
    /// The errors of [`Packed::allocate`].
    pub fn fixed(
        backend: &dyn Backend,
        name: &str,
        class: MemoryClass,
        tensors: impl IntoIterator<Item = (TensorId, u64)>,
    ) -> Result<Packed> {
        let mut places = Vec::new();
        let mut vec4s = 0_u64;
        for (ordinal, elements) in tensors {
            places.push(Place { ordinal, elements, vec4: vec4s as u32, trained: false });
            vec4s += elements.div_ceil(4);
        }
        let limit = backend.limits().whole_binding();
        if vec4s * 16 > limit {
            bail!(
                LimitExceeded,
                "{name}: {} bytes are needed, but a binding holds at most {limit}",
                vec4s * 16
            );
        }
        let stored = backend.create(name, vec4s * 16, class)?;
        Ok(Packed { stored, counters: None, vec4s: vec4s as u32, places })
    }

    /// The first element of the tensor with index `index`.
    pub fn first(&self, index: usize) -> u32 {
        self.places[index].vec4 * 4
    }

    /// The number of elements from one branch's tensors to the next branch's.
    pub fn stride(&self) -> u32 {
        self.vec4s * 4
    }

    /// Whether any tensor is trained.
    pub fn is_trained(&self) -> bool {
        self.places.iter().any(|place| place.trained)
    }

    /// Chooses the tensors that are trained, by ordinal.
    ///
    /// # Errors
    /// Errors from the backend.
    pub fn train(&mut self, backend: &dyn Backend, trained: &dyn Fn(TensorId) -> bool) -> Result<()> {
        for place in &mut self.places {
            place.trained = trained(place.ordinal);
        }
        self.write_counters(backend)
    }

    fn write_counters(&self, backend: &dyn Backend) -> Result<()> {
        let counters = self.places.iter().flat_map(|place| {
            let ordinal = if place.trained { place.ordinal as u32 } else { FROZEN };
            (0..place.elements.div_ceil(4) as u32).map(move |vec4| [vec4, ordinal])
        });
        write_chunks(backend, self.counters.as_ref(), counters)
    }

    /// Trains only some columns of the trained tensors. For the tensor with index `index`, `columns` gives the number of vec4s in a
    /// row and the range of them that is trained.
    ///
    /// # Errors
    /// Errors from the backend.
    pub fn train_columns(
        &self,
        backend: &dyn Backend,
        columns: impl Fn(usize) -> (u32, std::ops::Range<u32>),
    ) -> Result<()> {
        let counters = self.places.iter().enumerate().flat_map(|(index, place)| {
            let (width, trained) = columns(index);
            (0..place.elements.div_ceil(4) as u32).map(move |vec4| {
                let inside = trained.contains(&(vec4 % width.max(1)));
                [vec4, if place.trained && inside { place.ordinal as u32 } else { FROZEN }]
            })
        });
        write_chunks(backend, self.counters.as_ref(), counters)
    }

    /// Writes a tensor's values, starting at its element `first`, a multiple of 4.
    ///
    /// # Errors
    /// Errors from the backend.
    pub fn write(&self, backend: &dyn Backend, index: usize, first: u64, values: &[f32]) -> Result<()> {
        let offset = (u64::from(self.first(index)) + first) * 4;
        backend.write(&self.stored, offset, bytemuck::cast_slice(values))
    }

    /// Reads a tensor back.
    ///
    /// # Errors
    /// The errors of [`Backend::read`].
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
