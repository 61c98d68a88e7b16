//! The JSON of a safetensors header. It is read entry by entry, because a map would silently keep only the last of two tensors with
//! the same name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Maximum number of dimensions, more than any weight has.
const MAX_DIMENSIONS: usize = 8;

/// The header's description of one tensor.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) dtype: String,
    #[serde(deserialize_with = "shape")]
    pub(super) shape: Vec<u64>,
    /// Start and end of the tensor in bytes, relative to the end of the header.
    pub(super) data_offsets: (u64, u64),
}

/// All tensors in the header's order, and the file's `__metadata__`.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) entries: Vec<(String, Entry)>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                let mut seen = BTreeSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format_args!("`{name}` occurs twice")));
                    }
                    if name == "__metadata__" {
                        header.metadata = map.next_value()?;
                        continue;
                    }
                    // serde's own error message does not name the tensor.
                    let entry = map
                        .next_value()
                        .map_err(|error| A::Error::custom(format_args!("tensor `{name}`: {error}")))?;
                    header.entries.push((name, entry));
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Reads a list of at most [`MAX_DIMENSIONS`] numbers.
fn shape<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    struct Shape;
    impl<'de> Visitor<'de> for Shape {
        type Value = Vec<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a shape of at most {MAX_DIMENSIONS} dimensions")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u64>, A::Error> {
            let mut shape = Vec::new();
            while let Some(n) = seq.next_element()? {
                if shape.len() == MAX_DIMENSIONS {
                    return Err(A::Error::invalid_length(MAX_DIMENSIONS + 1, &self));
                }
                shape.push(n);
            }
            Ok(shape)
        }
    }
    deserializer.deserialize_seq(Shape)
}
