//! A model with a real configuration and random weights, which are generated while they are read. It allows runs at the size of the
//! papers' models without a file of that size.
//!
//! The file is a safetensors file in f16. The element at index `e` of the data is a table entry, indexed by 16-bit word `e % 4` of
//! `splitmix64(seed, e / 4)`: the table has 2048 half-normal quantiles, with a sign, times 0.02. Norms are 1, biases 0.

use std::ops::Range;
use std::rc::Rc;

use half::f16;

use crate::error::{Result, bail, err};
use crate::format::config::Config;
use crate::format::files::ModelDir;
use crate::format::source::{ByteSource, MemorySource};
use crate::future::LocalFuture;
use crate::model::{TensorKind, TensorSpec, family};
use crate::zo::random::quantiles;

/// Standard deviation of the matrices' elements: the initial value in BERT and similar models.
const DEVIATION: f32 = 0.02;

/// The files of such a random model: `config.json` and `model.safetensors`.
#[derive(Debug)]
pub struct RandomModel {
    name: String,
    config: Rc<[u8]>,
    weights: Rc<RandomWeights>,
}

impl RandomModel {
    /// Creates a random model with the configuration in the bytes of a `config.json`. Error messages contain `name`.
    ///
    /// # Errors
    /// `file-corrupt`, `model-unsupported`.
    pub fn new(name: &str, config: Vec<u8>, seed: u64) -> Result<RandomModel> {
        let spec = family::spec(&Config::parse(name, &config)?)?;
        let weights = RandomWeights::new(spec.tensors.as_slice(), seed);
        Ok(RandomModel { name: name.to_owned(), config: config.into(), weights: Rc::new(weights) })
    }
}

impl ModelDir for RandomModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn ByteSource>>>> {
        let found: Option<Rc<dyn ByteSource>> = match file {
            "config.json" => Some(Rc::new(MemorySource::new(file, self.config.clone()))),
            "model.safetensors" => Some(self.weights.clone()),
            _ => None,
        };
        Box::pin(std::future::ready(Ok(found)))
    }
}

/// How the values of a tensor are filled.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fill {
    Random,
    Constant(f16),
}

impl Fill {
    fn of(tensor: &TensorSpec) -> Fill {
        match tensor.kind {
            TensorKind::Matrix => Fill::Random,
            TensorKind::Vector => Fill::Constant(f16::from_f32(tensor.neutral)),
        }
    }
}

/// The weights file. Only its header is in memory.
#[derive(Debug)]
struct RandomWeights {
    header: Vec<u8>,
    /// The element range of each tensor, counted from the first element of the data.
    tensors: Vec<(Range<u64>, Fill)>,
    table: Vec<f16>,
    seed: u64,
}

impl RandomWeights {
    fn new(specs: &[TensorSpec], seed: u64) -> RandomWeights {
        let mut entries = serde_json::Map::new();
        let mut tensors = Vec::new();
        let mut first = 0;
        for spec in specs {
            let end = first + spec.elements();
            let entry = serde_json::json!({
                "dtype": "F16", "shape": spec.shape(), "data_offsets": [first * 2, end * 2],
            });
            entries.insert(spec.name.clone(), entry);
            tensors.push((first..end, Fill::of(spec)));
            first = end;
        }
        let mut text = serde_json::Value::Object(entries).to_string().into_bytes();
        // The data start at a multiple of 8, as with other writers of the format.
        text.resize(text.len().next_multiple_of(8), b' ');
        let header = [&(text.len() as u64).to_le_bytes()[..], &text].concat();
        let magnitudes = quantiles().iter().map(|q| f16::from_f32(q * DEVIATION));
        let table = magnitudes.flat_map(|magnitude| [magnitude, -magnitude]).collect();
        RandomWeights { header, tensors, table, seed }
    }

    /// Number of elements in the data.
    fn elements(&self) -> u64 {
        self.tensors.last().map_or(0, |(range, _)| range.end)
    }

    /// Appends a range of elements of one tensor.
    fn fill(&self, range: Range<u64>, fill: Fill, bytes: &mut Vec<u8>) {
        match fill {
            Fill::Constant(value) => range.for_each(|_| bytes.extend(value.to_le_bytes())),
            Fill::Random => {
                let mut element = range.start;
                while element < range.end {
                    let word = splitmix64(self.seed, element / 4);
                    let end = range.end.min((element / 4 + 1) * 4);
                    for at in element % 4..=(end - 1) % 4 {
                        let index = (word >> (16 * at)) as usize % self.table.len().max(1);
                        bytes.extend(self.table[index].to_le_bytes());
                    }
                    element = end;
                }
            }
        }
    }

    fn read_now(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let end = match offset.checked_add(len as u64) {
            Some(end) if end <= self.len() => end,
            _ => bail!(FileCorrupt, "{}: expected {len} bytes at offset {offset}", self.name()),
        };
        let data = self.header.len() as u64;
        let mut bytes = Vec::new();
        let capacity = len.checked_add(2).ok_or_else(|| err!(OutOfMemory, "{len} bytes at once"))?;
        bytes
            .try_reserve_exact(capacity)
            .map_err(|_| err!(OutOfMemory, "not enough memory for {len} bytes"))?;
        if offset < data {
            bytes.extend(&self.header[offset as usize..end.min(data) as usize]);
        }
        if end > data {
            // Whole elements; the first and the last byte may be cut off afterwards.
            let (from, to) = (offset.max(data) - data, end - data);
            let wanted = from / 2..to.div_ceil(2);
            let before = bytes.len();
            let first = self.tensors.partition_point(|(range, _)| range.end <= wanted.start);
            for (range, fill) in &self.tensors[first..] {
                if range.start >= wanted.end {
                    break;
                }
                self.fill(range.start.max(wanted.start)..range.end.min(wanted.end), *fill, &mut bytes);
            }
            if from % 2 == 1 {
                bytes.remove(before);
            }
            bytes.truncate(len);
        }
        Ok(bytes)
    }
}

impl ByteSource for RandomWeights {
    fn name(&self) -> &str {
        "model.safetensors"
    }

    fn len(&self) -> u64 {
        self.header.len() as u64 + self.elements() * 2
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(std::future::ready(self.read_now(offset, len)))
    }
}

/// Steele et al. 2014: a counter, passed through a 64-bit bijection.
fn splitmix64(seed: u64, counter: u64) -> u64 {
    let z = seed.wrapping_add(counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the tests block on futures
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::format::model_files::ModelFiles;

    const CONFIG: &[u8] = br#"{"model_type":"opt","hidden_size":64,"num_attention_heads":4,"ffn_dim":128,
        "vocab_size":1001,"max_position_embeddings":30,"num_hidden_layers":2}"#;

    #[test]
    fn it_reads_as_a_checkpoint_of_normal_weights() {
        let model = RandomModel::new("tiny", CONFIG.to_vec(), 7).unwrap();
        let files = block_on(ModelFiles::open(&model)).unwrap();
        let table = files.checkpoint.get("model.decoder.embed_tokens.weight").unwrap();
        let values = block_on(files.checkpoint.read_f32(table, 0, 64_064)).unwrap();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let deviation = (values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32).sqrt();
        assert!(mean.abs() < 5e-4 && (deviation - DEVIATION).abs() < 5e-4, "{mean} {deviation}");
        let norm = files.checkpoint.get("model.decoder.final_layer_norm.weight").unwrap();
        assert_eq!(block_on(files.checkpoint.read_f32(norm, 0, 64)).unwrap(), vec![1.0; 64]);
        let bias = files.checkpoint.get("model.decoder.layers.1.fc1.bias").unwrap();
        assert_eq!(block_on(files.checkpoint.read_f32(bias, 3, 50)).unwrap(), vec![0.0; 50]);
    }

    #[test]
    fn any_range_is_that_of_the_whole() {
        let weights = RandomModel::new("tiny", CONFIG.to_vec(), 7).unwrap().weights;
        let whole = weights.read_now(0, weights.len() as usize).unwrap();
        for (offset, len) in [(0, 9), (whole.len() - 5, 5), (weights.header.len() - 3, 8), (100_001, 4_002)] {
            assert_eq!(weights.read_now(offset as u64, len).unwrap(), whole[offset..offset + len]);
        }
        assert!(weights.read_now(1, whole.len()).is_err());
    }
}
