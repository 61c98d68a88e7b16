//! A restricted unpickler. It knows the opcodes that describe a state dict and a closed list of names ([`Global`]), and runs none
//! of them. Crates such as `serde-pickle` do not support persistent ids, by which PyTorch names its storages.
//!
//! Values are indices into one list, so that neither reading nor freeing them is recursive.

use std::collections::BTreeMap;

use super::values::{Global, Id, Storage, Tensor, Value, call, storage};
use crate::error::{Result, bail, err};

/// Maximum size of a pickle in bytes. The pickle of a model with a thousand tensors has 100 kB.
pub(super) const MAX_PICKLE_BYTES: u64 = 4 << 20;

/// Maximum number of values, about thirty times the number of tensors. A value takes much more memory than its opcode takes in the
/// pickle.
const MAX_VALUES: usize = 1 << 18;

/// Maximum length of a tensor's name. A pickle can repeat a long text in a few bytes.
const MAX_NAME_BYTES: usize = 1024;

pub(super) struct Machine<'a> {
    rest: &'a [u8],
    pub(super) values: Vec<Value>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
    /// The storages that the pickle names, by their keys.
    pub(super) storages: BTreeMap<String, Storage>,
}

impl<'a> Machine<'a> {
    /// Executes a pickle to its end.
    ///
    /// # Errors
    /// `file-corrupt` if the pickle is malformed; `model-unsupported` if it has an opcode or a name
    /// outside the closed list; `limit-exceeded` if it has too many values.
    pub(super) fn run(pickle: &'a [u8]) -> Result<Machine<'a>> {
        let mut machine = Machine {
            rest: pickle,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: BTreeMap::new(),
            storages: BTreeMap::new(),
        };
        while machine.step()? {
            if machine.values.len() > MAX_VALUES {
                bail!(LimitExceeded, "expected at most {MAX_VALUES} values");
            }
        }
        Ok(machine)
    }

    /// The bytes after the pickle.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The value that the pickle describes.
    pub(super) fn result(&self) -> Result<&Value> {
        Ok(&self.values[self.top()?])
    }

    /// The value of a key in the dictionary that the pickle describes, if it exists.
    pub(super) fn entry(&self, name: &str) -> Result<Option<&Value>> {
        let Value::Dict(items) = self.result()? else { bail!(FileCorrupt, "expected a dictionary") };
        let is_key = |id: Id| matches!(&self.values[id], Value::Text(text) if text == name);
        Ok(items.iter().find(|(key, _)| is_key(*key)).map(|(_, value)| &self.values[*value]))
    }

    /// The tensors of the state dict that the pickle describes, in the pickle's order.
    ///
    /// # Errors
    /// `model-unsupported` if it describes something else.
    pub(super) fn state_dict(&self) -> Result<Vec<(String, Tensor)>> {
        let Value::Dict(items) = self.result()? else {
            bail!(ModelUnsupported, "expected a dictionary of tensors");
        };
        let mut tensors = Vec::new();
        for (key, value) in items {
            match (&self.values[*key], &self.values[*value]) {
                (Value::Text(name), _) if name.len() > MAX_NAME_BYTES => {
                    bail!(
                        ModelUnsupported,
                        "expected names of at most {MAX_NAME_BYTES} bytes, found {}",
                        name.len()
                    )
                }
                (Value::Text(name), Value::Tensor(tensor)) => tensors.push((name.clone(), tensor.clone())),
                (Value::Text(name), Value::Dict(_)) => bail!(
                    ModelUnsupported,
                    "entry `{name}`: expected a tensor, found a dictionary, as in a training checkpoint; save only the \
                     model"
                ),
                (Value::Text(name), _) => bail!(ModelUnsupported, "entry `{name}`: expected a tensor"),
                _ => bail!(ModelUnsupported, "expected names of tensors as keys"),
            }
        }
        Ok(tensors)
    }

    /// Executes one opcode. Returns false at the end of the pickle.
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
            // Strings as written by Python 2.
            b'T' => {
                let len = u32::from_le_bytes(self.array()?);
                self.text(len as usize)?;
            }
            0x8c | b'U' => {
                let [len] = self.array()?;
                self.text(len.into())?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(Global::named(&module, &name)?));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (&self.values[module], &self.values[name])
                else {
                    bail!(FileCorrupt, "expected the name of a class or function");
                };
                let global = Global::named(module, name)?;
                self.push(Value::Global(global));
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
            b']' => self.push(Value::List(Vec::new())),
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
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set(&items)?;
            }
            b'Q' => self.persistent()?,
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let value = call(&self.values, function, arguments)?;
                self.push(value);
            }
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

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
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
            bail!(FileCorrupt, "expected a name that ends with a line end");
        };
        let line = String::from_utf8_lossy(self.take(len)?).into_owned();
        self.take(1)?;
        Ok(line)
    }

    /// A little-endian integer in two's complement.
    fn long(&mut self) -> Result<()> {
        let [len] = self.array()?;
        let bytes = self.take(len.into())?;
        if len > 8 {
            // The magic number at the start of the older layout has 10 bytes. No size is that long.
            self.push(Value::LongInt);
            return Ok(());
        }
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

    fn append(&mut self, items: &[Id]) -> Result<()> {
        let list = self.top()?;
        let Value::List(entries) = &mut self.values[list] else { bail!(FileCorrupt, "expected a list") };
        entries.extend(items);
        Ok(())
    }

    fn persistent(&mut self) -> Result<()> {
        let id = self.pop()?;
        let storage = storage(&self.values, id)?;
        if let Some(other) = self.storages.get(&storage.key)
            && *other != storage
        {
            bail!(FileCorrupt, "storage {}: it is described in two ways", storage.key);
        }
        self.storages.insert(storage.key.clone(), storage.clone());
        self.push(Value::Storage(storage));
        Ok(())
    }
}

fn empty() -> crate::error::Error {
    err!(FileCorrupt, "expected a value on the stack, found none")
}
