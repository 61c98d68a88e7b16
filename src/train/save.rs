//! Saves the weights in the layout of Hugging Face.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::session::Session;
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::format::safetensors_writer::{SafetensorsWriter, TensorSpec};
use crate::model::{Adapter, AdapterSpec, TensorId};

/// Writes all tensors to `sink` as one safetensors file, a few MiB at a time, with the names and shapes that transformers loads.
/// Matrices are written as f16 if they are stored as f16, otherwise as f32. A sum of low-rank updates is added to its matrix.
///
/// # Errors
/// Errors from the backend and from `sink`.
pub async fn save_model(session: &Session, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    save_changed(session, &Changes::default(), sink).await
}

/// A tensor, in f32, that is written after those of the model.
#[derive(Clone, Debug)]
pub(super) struct Addition {
    pub name: String,
    pub shape: Vec<u64>,
    pub values: Vec<f32>,
}

/// The differences between the written model and the session's weights.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// Tensors that are left out.
    pub without: Vec<TensorId>,
    /// Norms and biases with other values.
    pub replaced: BTreeMap<TensorId, Vec<f32>>,
    /// A table in which some rows have other values.
    pub rows: Option<TableRows>,
    /// Tensors that are added.
    pub added: Vec<Addition>,
}

/// Other values for some rows of a table.
#[derive(Clone, Debug)]
pub(super) struct TableRows {
    /// The table's tensor.
    pub of: TensorId,
    /// The name of a copy that gets the new rows, if the table itself is to stay unchanged. The copy is written in f32.
    pub copied_to: Option<String>,
    /// The new values of each row.
    pub rows: BTreeMap<u32, Vec<f32>>,
}

impl TableRows {
    /// Overwrites the replaced rows in `values`, which begin at element `first` of the table.
    fn replace(&self, values: &mut [f32], first: usize, width: usize) {
        for (&row, own) in &self.rows {
            let start = row as usize * width;
            let range = start.max(first)..(start + width).min(first + values.len());
            if !range.is_empty() {
                values[range.start - first..range.end - first]
                    .copy_from_slice(&own[range.start - start..range.end - start]);
            }
        }
    }
}

impl Changes {
    /// The replaced rows of a table that is changed in place.
    fn in_place(&self, id: TensorId) -> Option<&TableRows> {
        self.rows.as_ref().filter(|table| table.of == id && table.copied_to.is_none())
    }
}

/// Writes the model with `changes` applied, as [`save_model`] does.
///
/// # Errors
/// The errors of [`save_model`].
pub(super) async fn save_changed(
    session: &Session,
    changes: &Changes,
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let (model, tensors) = (&session.model, session.model.spec().tensors.as_slice());
    let sums = match model.adapter().filter(|adapter| matches!(adapter.spec(), AdapterSpec::LowRank { .. })) {
        Some(adapter) => sums(session, adapter).await?,
        None => BTreeMap::new(),
    };
    let kept: Vec<TensorId> = (0..tensors.len()).filter(|id| !changes.without.contains(id)).collect();
    let own = kept.iter().map(|&id| {
        let t = &tensors[id];
        let changed = changes.replaced.contains_key(&id) || changes.in_place(id).is_some();
        let stored_half = model.weights().matrix(id).is_ok_and(|m| m.dtype == DType::F16);
        let half = stored_half && sums.is_empty() && !changed;
        let dtype = if half { DType::F16 } else { DType::F32 };
        TensorSpec { name: t.name.clone(), dtype, shape: t.shape() }
    });
    let added = changes.added.iter();
    let added =
        added.map(|new| TensorSpec { name: new.name.clone(), dtype: DType::F32, shape: new.shape.clone() });
    let copy = changes.rows.iter().filter_map(|table| {
        let shape = tensors[table.of].shape();
        Some(TensorSpec { name: table.copied_to.clone()?, dtype: DType::F32, shape })
    });
    let specs: Vec<TensorSpec> = own.chain(copy).chain(added).collect();
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let mut writer = SafetensorsWriter::new(&specs, &metadata, sink)?;
    for (&id, spec) in kept.iter().zip(&specs) {
        if let Some(values) = changes.replaced.get(&id) {
            writer.write_f32(&spec.name, values)?;
            continue;
        }
        let (mut element, width) = (0, tensors[id].width as usize);
        // A matrix that the file stores transposed is buffered completely before it is written.
        let mut whole = Vec::new();
        let mut write = |values: &[f32]| {
            let mut values = Cow::Borrowed(values);
            if let Some(sum) = sums.get(&id) {
                sum.add_to(values.to_mut(), element, width);
            }
            if let Some(table) = changes.in_place(id) {
                table.replace(values.to_mut(), element, width);
            }
            element += values.len();
            if tensors[id].transposed {
                whole.extend_from_slice(&values);
                return Ok(());
            }
            writer.write_f32(&spec.name, &values)
        };
        model.weights().read(model.backend(), id, &mut write).await?;
        if tensors[id].transposed {
            for column in 0..width {
                let values: Vec<f32> = whole.iter().skip(column).step_by(width).copied().collect();
                writer.write_f32(&spec.name, &values)?;
            }
        }
    }
    if let Some((table, name)) =
        changes.rows.as_ref().and_then(|table| Some((table, table.copied_to.as_ref()?)))
    {
        let (mut element, width) = (0, tensors[table.of].width as usize);
        let mut write = |values: &[f32]| {
            let mut values = values.to_vec();
            table.replace(&mut values, element, width);
            element += values.len();
            writer.write_f32(name, &values)
        };
        model.weights().read(model.backend(), table.of, &mut write).await?;
    }
    for Addition { name, values, .. } in &changes.added {
        writer.write_f32(name, values)?;
    }
    writer.finish().map(drop)
}

/// The product B A, with B `[rows, rank]` and A `[rank, width]`.
struct Sum {
    a: Vec<f32>,
    b: Vec<f32>,
    rank: usize,
}

impl Sum {
    /// Adds the product to `values`, which begin at element `first` of the matrix, as `shaders/merge.wgsl` does.
    fn add_to(&self, values: &mut [f32], first: usize, width: usize) {
        for (i, value) in values.iter_mut().enumerate() {
            let (row, column) = ((first + i) / width, (first + i) % width);
            let factors = &self.b[row * self.rank..][..self.rank];
            for (j, b) in factors.iter().enumerate() {
                *value += b * self.a[j * width + column];
            }
        }
    }
}

/// The sums of low-rank updates for each adapted matrix.
async fn sums(session: &Session, adapter: &Adapter) -> Result<BTreeMap<TensorId, Sum>> {
    let mut sums = BTreeMap::new();
    let Some(fixed) = &adapter.fixed else { return Ok(sums) };
    let backend = session.model.backend();
    for (index, (id, tensor)) in adapter.adapted().iter().zip(adapter.tensors()).enumerate() {
        // A's ordinal directly precedes B's. In some places a transposed copy of A follows it.
        let at = adapter.fixed_tensors().iter().position(|a| a.ordinal + 1 == tensor.ordinal);
        let Some(at) = at else { bail!(InvalidArgument, "{} has no signs", tensor.name) };
        let a = fixed.read(backend, at).await?;
        let b = adapter.trained.read(backend, index).await?;
        sums.insert(*id, Sum { a, b, rank: tensor.width as usize });
    }
    Ok(sums)
}
