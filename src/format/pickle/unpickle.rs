//! A restricted unpickler: it knows the opcodes that describe a state dict, and a closed list of
//! names, none of which it runs. Crates such as `serde-pickle` have no persistent ids, by which
//! PyTorch names its storages.
//!
//! Values are numbers into one list, so that neither reading nor freeing them recurses.

use std::collections::BTreeMap;

use crate::dtype::DType;
use crate::error::{Result, bail, err};

/// Maximum number of dimensions, more than any weight has.
const MAX_DIMENSIONS: usize = 8;

/// Maximum number of values, about thirty times the number of tensors. A value takes much more memory than
/// its opcode takes in the pickle.
const MAX_VALUES: usize = 1 << 18;

/// Maximum length of a tensor's name. A pickle can repeat a long text in a few bytes.
const MAX_NAME_BYTES: usize = 1024;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Storage {
    pub(super) key: String,
    /// The element type, or `None` if it is an integer or a boolean.
    pub(super) dtype: Option<DType>,
    pub(super) element_bytes: u64,
    pub(super) elements: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub(super) storage: Storage,
    /// Offset of the first element in its storage, in elements.
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    /// Distance in elements of two neighbors in each dimension.
    pub(super) strides: Vec<u64>,
}

type Id = usize;

enum Value {
    None,
    Int(i64),
    Text(String),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    List,
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    StorageClass(Option<DType>, u64),
    Storage(Storage),
    Tensor(Tensor),
}

struct Machine<'a> {
    rest: &'a [u8],
    values: Vec<Value>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

/// The tensors of the state dict that `pickle` describes, in its order.
///
/// # Errors
/// `file-corrupt` if the pickle is malformed; `model-unsupported` if it has an opcode or a name
/// outside the closed list, or describes something else than a dictionary of tensors.
pub(super) fn state_dict(pickle: &[u8]) -> Result<Vec<(String, Tensor)>> {
    let mut machine = Machine {
        rest: pickle,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
    };
    while machine.step()? {
        if machine.values.len() > MAX_VALUES {
            bail!(LimitExceeded, "expected at most {MAX_VALUES} values");
        }
    }
    let top = machine.pop()?;
    let Value::Dict(items) = &machine.values[top] else {
        bail!(ModelUnsupported, "expected a dictionary of tensors");
    };
    let mut tensors = Vec::new();
    for (key, value) in items {
        match (&machine.values[*key], &machine.values[*value]) {
            (Value::Text(name), _) if name.len() > MAX_NAME_BYTES => {
                bail!(
                    ModelUnsupported,
                    "expected names of at most {MAX_NAME_BYTES} bytes, found {}",
                    name.len()
                )
            }
            (Value::Text(name), Value::Tensor(tensor)) => tensors.push((name.clone(), tensor.clone())),
            (Value::Text(name), _) => bail!(ModelUnsupported, "entry `{name}`: expected a tensor"),
            _ => bail!(ModelUnsupported, "expected names of tensors as keys"),
        }
    }
    Ok(tensors)
}

impl Machine<'_> {
    /// Follows one opcode. Returns false at the end of the pickle.
    fn step(&mut self) -> Result<bool> {
        let [opcode] = self.array()?;
        match opcode {
            0x80 => match self.array()? {
                [2..=5] => {}
                [protocol] => bail!(ModelUnsupported, "expected pickle protocol 2 to 5, found {protocol}"),
            },
            0x95 => drop(self.array::<8>()?),
            b'.' => return Ok(false),
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(Value::None),
            0x88 | 0x89 => self.push(Value::Int(i64::from(opcode == 0x88))),
            b'K' => {
                let [n] = self.array()?;
                self.push(Value::Int(n.into()));
            }
            b'M' => {
                let n = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(n.into()));
            }
            b'J' => {
                let n = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(n.into()));
            }
            0x8a => self.long()?,
            b'X' => {
                let len = u32::from_le_bytes(self.array()?);
                self.text(len as usize)?;
            }
            0x8c => {
                let [len] = self.array()?;
                self.text(len.into())?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(&module, &name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (&self.values[module], &self.values[name])
                else {
                    bail!(FileCorrupt, "expected the name of a class or function");
                };
                let (module, name) = (module.clone(), name.clone());
                self.global(&module, &name)?;
            }
            b'q' => {
                let [key] = self.array()?;
                self.memo.insert(key.into(), self.top()?);
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.memo.insert(key, self.top()?);
            }
            0x94 => {
                let key = self.memo.len() as u32;
                self.memo.insert(key, self.top()?);
            }
            b'h' => {
                let [key] = self.array()?;
                self.recall(key.into())?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key)?;
            }
            b'}' => self.push(Value::Dict(Vec::new())),
            b']' => self.push(Value::List),
            b')' => self.push(Value::Tuple(Vec::new())),
            0x85..=0x87 => {
                let at = self.stack.len().checked_sub(usize::from(opcode - 0x84));
                let at = at.filter(|at| *at >= self.floor());
                let items = self.stack.split_off(at.ok_or_else(empty)?);
                self.push(Value::Tuple(items));
            }
            b't' => {
                let items = self.since_mark()?;
                self.push(Value::Tuple(items));
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set(&items)?;
            }
            b'Q' => self.storage()?,
            b'R' => self.reduce()?,
            // The state of a dictionary is its `_metadata`, the versions of modules.
            b'b' => {
                let (_state, object) = (self.pop()?, self.top()?);
                if !matches!(self.values[object], Value::Dict(_)) {
                    bail!(ModelUnsupported, "expected no state except a dictionary's");
                }
            }
            _ => bail!(ModelUnsupported, "the opcode {opcode:#04x} is not one that describes tensors"),
        }
        Ok(true)
    }

    fn take(&mut self, len: usize) -> Result<&[u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            bail!(FileCorrupt, "expected {len} more bytes, found {}", self.rest.len());
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    fn text(&mut self, len: usize) -> Result<()> {
        let Ok(text) = str::from_utf8(self.take(len)?) else { bail!(FileCorrupt, "expected text in UTF-8") };
        let text = Value::Text(text.to_owned());
        self.push(text);
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let Some(len) = self.rest.iter().take(256).position(|byte| *byte == b'\n') else {
            bail!(FileCorrupt, "expected a name that ends with its line");
        };
        let line = String::from_utf8_lossy(self.take(len)?).into_owned();
        self.take(1)?;
        Ok(line)
    }

    /// A little-endian integer in two's complement.
    fn long(&mut self) -> Result<()> {
        let [len] = self.array()?;
        if len > 8 {
            bail!(ModelUnsupported, "expected integers of at most 8 bytes, found {len}");
        }
        let bytes = self.take(len.into())?;
        let fill = bytes.last().map_or(0, |last| if last & 0x80 == 0 { 0 } else { 0xff });
        let mut wide = [fill; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)));
        Ok(())
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    /// The height of the stack at the last mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id> {
        self.stack.get(self.floor()..).and_then(<[Id]>::last).copied().ok_or_else(empty)
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn since_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(empty)?;
        Ok(self.stack.split_off(mark))
    }

    fn recall(&mut self, key: u32) -> Result<()> {
        let id = self.memo.get(&key).ok_or_else(|| err!(FileCorrupt, "expected a stored value {key}"))?;
        self.stack.push(*id);
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Result<()> {
        let dict = self.top()?;
        let Value::Dict(entries) = &mut self.values[dict] else {
            bail!(FileCorrupt, "expected a dictionary")
        };
        if !items.len().is_multiple_of(2) {
            bail!(FileCorrupt, "expected a value for each key");
        }
        entries.extend(items.chunks_exact(2).map(|item| (item[0], item[1])));
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<()> {
        let value = match (module, name) {
            ("collections", "OrderedDict") => Value::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Value::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Value::RebuildParameter,
            ("torch", class) if storage_type(class).is_some() => {
                let (dtype, bytes) = storage_type(class).unwrap_or((None, 1));
                Value::StorageClass(dtype, bytes)
            }
            _ => bail!(
                ModelUnsupported,
                "the pickle names {module}.{name}, which this program does not read; save the model as safetensors"
            ),
        };
        self.push(value);
        Ok(())
    }

    fn tuple(&self, id: Id) -> Result<Vec<&Value>> {
        match &self.values[id] {
            Value::Tuple(items) if items.len() <= MAX_DIMENSIONS => {
                Ok(items.iter().map(|item| &self.values[*item]).collect())
            }
            _ => bail!(FileCorrupt, "expected a tuple of at most {MAX_DIMENSIONS} values"),
        }
    }

    /// A persistent id: `("storage", class, key, location, number of elements)`.
    fn storage(&mut self) -> Result<()> {
        let id = self.pop()?;
        let storage = match self.tuple(id)?.as_slice() {
            [
                Value::Text(kind),
                Value::StorageClass(dtype, bytes),
                Value::Text(key),
                _,
                Value::Int(elements),
            ] if kind == "storage" && *elements >= 0 && key.len() < 64 => {
                let elements = *elements as u64;
                Storage { key: key.clone(), dtype: *dtype, element_bytes: *bytes, elements }
            }
            _ => bail!(FileCorrupt, "expected a persistent id that names a storage"),
        };
        self.push(Value::Storage(storage));
        Ok(())
    }

    /// A call, of which only its description is kept.
    fn reduce(&mut self) -> Result<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let arguments = self.tuple(arguments)?;
        let value = match (&self.values[function], arguments.as_slice()) {
            (Value::OrderedDict, []) => Value::Dict(Vec::new()),
            (Value::RebuildParameter, [Value::Tensor(tensor), ..]) => Value::Tensor(tensor.clone()),
            (
                Value::RebuildTensor,
                [Value::Storage(storage), Value::Int(offset), Value::Tuple(shape), Value::Tuple(strides), ..],
            ) if *offset >= 0 => Value::Tensor(Tensor {
                storage: storage.clone(),
                offset: *offset as u64,
                shape: self.sizes(shape)?,
                strides: self.sizes(strides)?,
            }),
            _ => bail!(FileCorrupt, "expected the arguments of a tensor or an empty dictionary"),
        };
        self.push(value);
        Ok(())
    }

    fn sizes(&self, ids: &[Id]) -> Result<Vec<u64>> {
        if ids.len() > MAX_DIMENSIONS {
            bail!(ModelUnsupported, "expected at most {MAX_DIMENSIONS} dimensions, found {}", ids.len());
        }
        let size = |id: &Id| match &self.values[*id] {
            Value::Int(n) if *n >= 0 => Ok(*n as u64),
            _ => bail!(FileCorrupt, "expected sizes of at least 0"),
        };
        ids.iter().map(size).collect()
    }
}

fn empty() -> crate::error::Error {
    err!(FileCorrupt, "expected a value on the stack, found none")
}

/// The element type of a storage class of PyTorch, if a weight can have it, and its bytes.
fn storage_type(class: &str) -> Option<(Option<DType>, u64)> {
    Some(match class {
        "FloatStorage" => (Some(DType::F32), 4),
        "HalfStorage" => (Some(DType::F16), 2),
        "BFloat16Storage" => (Some(DType::BF16), 2),
        "LongStorage" => (None, 8),
        "IntStorage" => (None, 4),
        "ShortStorage" => (None, 2),
        "CharStorage" | "ByteStorage" | "BoolStorage" => (None, 1),
        _ => return None,
    })
}
