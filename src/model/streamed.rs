//! Layers that are not kept in the device's memory. Their matrices are in a scratch file, in the device's storage format, and every
//! pass uploads them layer by layer into the same buffers, which have the size of the largest layer.
//!
//! Only frozen matrices can be streamed, because nothing writes them back. Norms and biases, embeddings and the head stay in the
//! device's memory.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::spec::{LayerSpec, ModelSpec};
use super::tensors::TensorId;
use crate::error::{Result, bail};
use crate::format::source::Scratch;
use crate::gpu::{Backend, Buffer, MemoryClass, Upload};

/// The location of a part of a matrix in the file.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Index of the buffer that the part is uploaded to.
    buffer: usize,
    offset: u64,
    bytes: u64,
}

/// The streamed layers in a scratch file, and the buffers of one layer.
pub(super) struct Streamed {
    file: Rc<dyn Scratch>,
    buffers: Vec<Buffer>,
    /// The parts of each layer.
    layers: Vec<Vec<Place>>,
    /// The location of each part of a streamed matrix, by the matrix and the part's first row.
    places: BTreeMap<(TensorId, u32), Place>,
}

impl Streamed {
    /// Allocates the buffers. `parts` gives the first row, the number of rows and the bytes of each part of a matrix.
    ///
    /// # Errors
    /// `invalid-argument` if no matrix belongs to one layer alone; the errors of `parts` and of [`Backend::create`].
    pub(super) fn allocate(
        backend: &dyn Backend,
        spec: &ModelSpec,
        file: Rc<dyn Scratch>,
        parts: &dyn Fn(TensorId) -> Result<Vec<(u32, u32, u64)>>,
    ) -> Result<Streamed> {
        let (mut layers, mut places, mut sizes) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut offset = 0;
        for matrices in matrices(spec) {
            let mut layer = Vec::new();
            for id in matrices {
                for (first_row, _, bytes) in parts(id)? {
                    // The padding at the end of a buffer is zeros, as in a buffer of the matrix alone.
                    let bytes = bytes.next_multiple_of(16);
                    let place = Place { buffer: layer.len(), offset, bytes };
                    offset += bytes;
                    sizes.resize(sizes.len().max(layer.len() + 1), 0);
                    sizes[layer.len()] = bytes.max(sizes[layer.len()]);
                    places.insert((id, first_row), place);
                    layer.push(place);
                }
            }
            layers.push(layer);
        }
        if places.is_empty() {
            bail!(
                InvalidArgument,
                "the layers of this {} model share their weights, so none can be streamed; leave out stream-layers",
                spec.family
            );
        }
        let create = |bytes: &u64| backend.create("a layer's matrix", *bytes, MemoryClass::Weights);
        let buffers = sizes.iter().map(create).collect::<Result<_>>()?;
        Ok(Streamed { file, buffers, layers, places })
    }

    /// Extends the file to the total size of the layers, filled with zeros.
    ///
    /// # Errors
    /// The errors of [`Scratch::write`].
    pub(super) fn reserve(&self) -> Result<()> {
        let end = self.places.values().map(|place| place.offset + place.bytes).max();
        end.map_or(Ok(()), |end| self.file.write(end - 1, &[0]))
    }

    /// The buffer of the part that starts at row `first_row` of a matrix, if the matrix is streamed.
    pub(super) fn buffer(&self, id: TensorId, first_row: u32) -> Option<Buffer> {
        let place = self.places.get(&(id, first_row))?;
        Some(self.buffers[place.buffer].clone())
    }

    /// The file, and the offset in it of the part that starts at row `first_row` of a matrix, if the matrix is streamed.
    pub(super) fn file(&self, id: TensorId, first_row: u32) -> Option<(&dyn Scratch, u64)> {
        self.places.get(&(id, first_row)).map(|place| (self.file.as_ref(), place.offset))
    }

    /// The uploads that are needed before a layer's dispatches.
    pub(super) fn uploads(&self, layer: usize) -> Vec<Upload> {
        let upload = |place: &Place| Upload {
            buffer: self.buffers[place.buffer].clone(),
            file: self.file.clone(),
            offset: place.offset,
            bytes: place.bytes,
        };
        self.layers[layer].iter().map(upload).collect()
    }
}

/// The matrices of each layer that are streamed: all matrices that only this layer reads.
fn matrices(spec: &ModelSpec) -> Vec<Vec<TensorId>> {
    let of = |layer: &LayerSpec| -> BTreeSet<TensorId> {
        layer.linears().iter().map(|(_, linear)| linear.weight).collect()
    };
    let layers: Vec<BTreeSet<TensorId>> = spec.layers.iter().map(of).collect();
    let alone =
        |id: &TensorId| !spec.looks_up(*id) && layers.iter().filter(|layer| layer.contains(id)).count() == 1;
    layers.iter().map(|layer| layer.iter().copied().filter(alone).collect()).collect()
}
