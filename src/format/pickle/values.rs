//! The values of a pickle: tensors, their storages, and the closed list of names.

use crate::dtype::DType;
use crate::error::{Result, bail};

/// Maximum number of dimensions, more than any weight has.
const MAX_DIMENSIONS: usize = 8;

/// The element type of a storage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Element {
    /// The element type's name in safetensors.
    pub(super) name: &'static str,
    /// The storage format, if elements of this type can be read.
    pub(super) dtype: Option<DType>,
    pub(super) bytes: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Storage {
    pub(super) key: String,
    pub(super) element: Element,
    pub(super) elements: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub(super) storage: Storage,
    /// Offset of the first element in its storage, in elements.
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    /// Distance in elements between neighbors in each dimension.
    pub(super) strides: Vec<u64>,
}

/// The index of a value.
pub(super) type Id = usize;

pub(super) enum Value {
    None,
    Int(i64),
    /// An integer of more than 8 bytes.
    LongInt,
    Text(String),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    List(Vec<Id>),
    Global(Global),
    Storage(Storage),
    Tensor(Tensor),
}

/// A name that a pickle may refer to. None of them is ever run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    /// `_rebuild_tensor_v2`, or `_rebuild_tensor` of PyTorch 0.3.
    RebuildTensor,
    /// `_rebuild_parameter`, with or without state: its first argument is a tensor.
    RebuildParameter,
    /// Its arguments are a function, a class, the function's arguments, and state.
    RebuildFromType,
    /// `Tensor` or `Parameter`.
    TensorClass,
    Storage(Element),
}

impl Global {
    /// # Errors
    /// `model-unsupported` for a name outside the closed list.
    pub(super) fn named(module: &str, name: &str) -> Result<Global> {
        Ok(match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Global::RebuildTensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                Global::RebuildParameter
            }
            ("torch._tensor" | "torch.tensor", "_rebuild_from_type_v2" | "_rebuild_from_type") => {
                Global::RebuildFromType
            }
            ("torch", "Tensor") | ("torch.nn.parameter", "Parameter") => Global::TensorClass,
            ("torch", class) if element(class).is_some() => {
                Global::Storage(element(class).unwrap_or(Element { name: "", dtype: None, bytes: 1 }))
            }
            _ => bail!(
                ModelUnsupported,
                "the pickle names {module}.{name}, which this program does not read; save the model as safetensors"
            ),
        })
    }
}

/// The elements of a storage class of PyTorch.
fn element(class: &str) -> Option<Element> {
    let (name, dtype, bytes) = match class {
        "FloatStorage" => ("F32", Some(DType::F32), 4),
        "HalfStorage" => ("F16", Some(DType::F16), 2),
        "BFloat16Storage" => ("BF16", Some(DType::BF16), 2),
        "DoubleStorage" => ("F64", None, 8),
        "LongStorage" => ("I64", None, 8),
        "IntStorage" => ("I32", None, 4),
        "ShortStorage" => ("I16", None, 2),
        "CharStorage" => ("I8", None, 1),
        "ByteStorage" => ("U8", None, 1),
        "BoolStorage" => ("BOOL", None, 1),
        "ComplexFloatStorage" => ("C64", None, 8),
        "ComplexDoubleStorage" => ("C128", None, 16),
        _ => return None,
    };
    Some(Element { name, dtype, bytes })
}

/// The values in a tuple.
fn tuple(values: &[Value], id: Id) -> Result<Vec<&Value>> {
    match &values[id] {
        Value::Tuple(items) if items.len() <= MAX_DIMENSIONS => {
            Ok(items.iter().map(|item| &values[*item]).collect())
        }
        _ => bail!(FileCorrupt, "expected a tuple of at most {MAX_DIMENSIONS} values"),
    }
}

/// A persistent id: `("storage", class, key, location, number of elements)`. The older layout has a sixth value, which describes a
/// view of another storage if it is not None.
pub(super) fn storage(values: &[Value], id: Id) -> Result<Storage> {
    match tuple(values, id)?.as_slice() {
        [
            Value::Text(kind),
            Value::Global(Global::Storage(element)),
            Value::Text(key),
            _,
            Value::Int(elements),
            view @ ..,
        ] if kind == "storage" && *elements >= 0 && key.len() < 64 && view.len() < 2 => {
            if !matches!(view, [] | [Value::None]) {
                bail!(
                    ModelUnsupported,
                    "storage {key}: expected no part of another storage; save the model as safetensors"
                );
            }
            Ok(Storage { key: key.clone(), element: *element, elements: *elements as u64 })
        }
        _ => bail!(FileCorrupt, "expected a persistent id that names a storage"),
    }
}

/// A call, of which only a description is kept.
pub(super) fn call(values: &[Value], function: Id, arguments: Id) -> Result<Value> {
    let Value::Global(function) = values[function] else {
        bail!(FileCorrupt, "expected the name of a function");
    };
    Ok(match (function, tuple(values, arguments)?.as_slice()) {
        (Global::OrderedDict, []) => Value::Dict(Vec::new()),
        // As written by Python 2: a list of pairs.
        (Global::OrderedDict, [Value::List(pairs)]) => {
            let pair = |id: &Id| match &values[*id] {
                Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
                _ => bail!(FileCorrupt, "expected pairs of a key and a value"),
            };
            Value::Dict(pairs.iter().map(pair).collect::<Result<_>>()?)
        }
        (
            Global::RebuildFromType,
            [Value::Global(inner), Value::Global(Global::TensorClass), Value::Tuple(items), ..],
        ) if items.len() <= MAX_DIMENSIONS => {
            let items: Vec<&Value> = items.iter().map(|item| &values[*item]).collect();
            Value::Tensor(tensor(values, *inner, &items)?)
        }
        (function, items) => Value::Tensor(tensor(values, function, items)?),
    })
}

/// The tensor that one of PyTorch's functions would build.
fn tensor(values: &[Value], function: Global, arguments: &[&Value]) -> Result<Tensor> {
    match (function, arguments) {
        (Global::RebuildParameter, [Value::Tensor(tensor), ..]) => Ok(tensor.clone()),
        (
            Global::RebuildTensor,
            [Value::Storage(storage), Value::Int(offset), Value::Tuple(shape), Value::Tuple(strides), ..],
        ) if *offset >= 0 => Ok(Tensor {
            storage: storage.clone(),
            offset: *offset as u64,
            shape: sizes(values, shape)?,
            strides: sizes(values, strides)?,
        }),
        _ => bail!(FileCorrupt, "expected the arguments of a tensor or an empty dictionary"),
    }
}

fn sizes(values: &[Value], ids: &[Id]) -> Result<Vec<u64>> {
    if ids.len() > MAX_DIMENSIONS {
        bail!(ModelUnsupported, "expected at most {MAX_DIMENSIONS} dimensions, found {}", ids.len());
    }
    let size = |id: &Id| match &values[*id] {
        Value::Int(n) if *n >= 0 => Ok(*n as u64),
        _ => bail!(FileCorrupt, "expected sizes of at least 0"),
    };
    ids.iter().map(size).collect()
}
