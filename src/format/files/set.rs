//! The rules for which files make a model. The command line, the package and the page all use them.

use serde::{Deserialize, Serialize};

use crate::error::{Result, bail};

/// The configuration of a model in Hugging Face's layout.
pub const CONFIG_FILE: &str = "config.json";

/// The weights of such a model in one file.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// The index of such a model's weights, if they are split into several files.
pub const INDEX_FILE: &str = "model.safetensors.index.json";

/// The tokenizer of such a model. It is optional, because a run on token ids needs none.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// Optional files, either of which may have the chat template.
pub const CHAT_FILES: [&str; 2] = ["tokenizer_config.json", "chat_template.jinja"];

/// The weights of such a model in PyTorch's format, which are read if there is neither a safetensors nor a .gguf file.
pub const PICKLE_FILE: &str = "pytorch_model.bin";

/// The names to request from a place that cannot be listed, in rounds. The next round is needed
/// only if [`files_of`] refuses the files that were found so far.
pub const NAMES: [&[&str]; 2] =
    [&[CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE, CHAT_FILES[0], CHAT_FILES[1]], &[INDEX_FILE, PICKLE_FILE]];

/// Maximum size of a `config.json` in bytes.
pub const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// Maximum size of a `tokenizer.json` or another tokenizer file in bytes.
pub const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// A file as a directory or a server lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The file's name, with its path below the listed place.
    pub name: String,
    /// The size in bytes, if it is known.
    #[serde(default)]
    pub size: Option<u64>,
}

/// The files that make a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSet {
    /// One `.gguf` file.
    Gguf(String),
    /// A `config.json` with weights.
    HuggingFace {
        /// [`WEIGHTS_FILE`], [`INDEX_FILE`] or [`PICKLE_FILE`]. The files that an index names are not in the set.
        weights: &'static str,
        /// The optional files that exist, among [`TOKENIZER_FILE`] and [`CHAT_FILES`].
        optional: Vec<&'static str>,
    },
}

impl FileSet {
    /// The names of the files, in the order in which they are downloaded: the small ones first.
    pub fn names(&self) -> Vec<&str> {
        match self {
            FileSet::Gguf(name) => vec![name],
            FileSet::HuggingFace { weights, optional } => {
                [CONFIG_FILE].into_iter().chain(optional.iter().copied()).chain([*weights]).collect()
            }
        }
    }
}

/// Chooses the files of the model among those that `place` has: `config.json` with weights in
/// safetensors, otherwise the only `.gguf` file, otherwise `config.json` with weights in PyTorch's format. `wanted` is the name of a `.gguf` file that was
/// requested. Files in folders below `place` count only if they are requested.
///
/// # Errors
/// `invalid-argument` if the files make no model, if they make several, or if `wanted` is not among
/// them; `limit-exceeded` if a file that is read as a whole is too long.
pub fn files_of(place: &str, listing: &[Listed], wanted: Option<&str>) -> Result<FileSet> {
    let has = |name: &str| listing.iter().any(|file| file.name == name);
    let mut gguf: Vec<&str> = listing.iter().map(|file| file.name.as_str()).collect();
    gguf.retain(|name| is_gguf(name) && !name.contains('/'));
    gguf.sort_unstable();
    if let Some(wanted) = wanted {
        if is_gguf(wanted) && has(wanted) {
            return Ok(FileSet::Gguf(wanted.to_owned()));
        }
        let found = if gguf.is_empty() { "no .gguf file".to_owned() } else { gguf.join(", ") };
        bail!(InvalidArgument, "{place}: expected {wanted}, found {found}");
    }
    let pickle = Some(PICKLE_FILE).filter(|name| has(name) && gguf.is_empty());
    let weights = [WEIGHTS_FILE, INDEX_FILE].into_iter().find(|name| has(name)).or(pickle);
    if let Some(weights) = weights.filter(|_| has(CONFIG_FILE)) {
        let mut optional = vec![TOKENIZER_FILE];
        optional.extend(CHAT_FILES);
        optional.retain(|name| has(name));
        check_size(listing, CONFIG_FILE, MAX_CONFIG_BYTES)?;
        for name in &optional {
            check_size(listing, name, MAX_TOKENIZER_BYTES)?;
        }
        return Ok(FileSet::HuggingFace { weights, optional });
    }
    match (gguf.as_slice(), weights) {
        ([only], _) => Ok(FileSet::Gguf((*only).to_owned())),
        ([first, _, ..], _) => bail!(
            InvalidArgument,
            "{place}: expected one .gguf file, found {}; choose one of them, such as {place}/{first}",
            gguf.join(", ")
        ),
        ([], Some(weights)) => {
            bail!(InvalidArgument, "{place}: expected a {CONFIG_FILE} beside {weights}, found none")
        }
        ([], None) if has(CONFIG_FILE) => {
            bail!(
                InvalidArgument,
                "{place}: expected {WEIGHTS_FILE}, {INDEX_FILE} or {PICKLE_FILE} beside {CONFIG_FILE}, found none"
            )
        }
        ([], None) => {
            bail!(InvalidArgument, "{place}: expected a {CONFIG_FILE} or a .gguf file, found neither")
        }
    }
}

fn check_size(listing: &[Listed], name: &str, limit: u64) -> Result<()> {
    let size = listing.iter().find(|file| file.name == name).and_then(|file| file.size);
    match size.filter(|size| *size > limit) {
        Some(size) => bail!(LimitExceeded, "{name}: expected at most {limit} bytes, found {size}"),
        None => Ok(()),
    }
}

/// Whether a file name or URL path ends in `.gguf`.
pub fn is_gguf(name: &str) -> bool {
    name.get(name.len().saturating_sub(5)..).is_some_and(|end| end.eq_ignore_ascii_case(".gguf"))
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // there are no files
mod tests {
    use super::*;

    /// An entry of `tests/file-sets.json`, which the package's tests read as well.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        about: String,
        listing: Vec<Listed>,
        file: Option<String>,
        /// The content of the index.
        index: Option<String>,
        files: Option<Vec<String>>,
        code: Option<String>,
        error: Option<String>,
    }

    #[test]
    fn listings_are_read_as_expected() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/file-sets.json");
        let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for Case { about, listing, file, index, files, code, error } in cases {
            let chosen = files_of("tiny", &listing, file.as_deref()).and_then(|set| {
                let mut names: Vec<String> = set.names().into_iter().map(str::to_owned).collect();
                if let Some(index) = &index {
                    names.extend(crate::format::safetensors::shards(INDEX_FILE, index.as_bytes())?);
                }
                Ok(names)
            });
            match chosen {
                Ok(chosen) => assert_eq!(Some(chosen), files, "{about}"),
                Err(found) => {
                    assert_eq!(Some(found.message()), error.as_deref(), "{about}");
                    assert_eq!(Some(found.code().as_str()), code.as_deref(), "{about}");
                }
            }
        }
    }

    #[test]
    fn a_place_that_cannot_be_listed_is_asked_for_every_name() {
        let asked: Vec<&str> = NAMES.concat();
        for set in [WEIGHTS_FILE, INDEX_FILE, PICKLE_FILE].map(|weights| FileSet::HuggingFace {
            weights,
            optional: [&[TOKENIZER_FILE][..], &CHAT_FILES].concat(),
        }) {
            assert!(set.names().iter().all(|name| asked.contains(name)), "{asked:?}");
        }
    }
}
