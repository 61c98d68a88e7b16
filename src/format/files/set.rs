//! The rules for which files form a model. The command line, the package and the page all use them.

use serde::{Deserialize, Serialize};

use super::gguf_names::{Part, is_gguf, with_parts};
use super::quantization::{of_quantization, suited};
use crate::error::{Result, bail};
use crate::text::tokenizer_files::{DECLARATION_FILES, VOCABULARY_FILES};

/// The configuration of a model in Hugging Face's layout.
pub const CONFIG_FILE: &str = "config.json";

/// The weights of such a model in a single file.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// The index of such a model's weights, if they are split into several files.
pub const INDEX_FILE: &str = "model.safetensors.index.json";

/// The tokenizer of such a model. It is optional, because a run on token ids does not need it.
pub use crate::text::tokenizer_files::TOKENIZER_FILE;

/// An optional file with the chat template, which may also be in `tokenizer_config.json`.
pub const CHAT_FILE: &str = "chat_template.jinja";

/// An optional file with generation settings. Only the tokens that end a text are read from it.
pub const GENERATION_FILE: &str = "generation_config.json";

/// The weights of such a model in PyTorch's format. They are read if there is neither a safetensors nor a .gguf file.
pub const PICKLE_FILE: &str = "pytorch_model.bin";

/// The index of such weights, if they are split into several files.
pub const PICKLE_INDEX_FILE: &str = "pytorch_model.bin.index.json";

/// Maximum size of a `config.json` in bytes.
pub const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// Maximum size of a `tokenizer.json` or another tokenizer file in bytes.
pub const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// A file in the listing of a directory or a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The file's name, including its path relative to the listed place.
    pub name: String,
    /// The size in bytes, if it is known.
    #[serde(default)]
    pub size: Option<u64>,
}

/// The files that form a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSet {
    /// One `.gguf` file, or the parts of a split one, in order.
    Gguf(Vec<String>),
    /// A `config.json` with weights.
    HuggingFace {
        /// [`WEIGHTS_FILE`], [`INDEX_FILE`], [`PICKLE_FILE`] or [`PICKLE_INDEX_FILE`]. The files that an index names are not in the set.
        weights: &'static str,
        /// The optional files that exist: those of the tokenizer, the chat template and generation.
        optional: Vec<&'static str>,
    },
}

impl FileSet {
    /// The index of split weights, if the set has one. It names further files of the model.
    pub fn index(&self) -> Option<&'static str> {
        match self {
            FileSet::HuggingFace { weights: weights @ (INDEX_FILE | PICKLE_INDEX_FILE), .. } => Some(weights),
            _ => None,
        }
    }

    /// The names of the files, in download order: small files first.
    pub fn names(&self) -> Vec<&str> {
        match self {
            FileSet::Gguf(names) => names.iter().map(String::as_str).collect(),
            FileSet::HuggingFace { weights, optional } => {
                [CONFIG_FILE].into_iter().chain(optional.iter().copied()).chain([*weights]).collect()
            }
        }
    }
}

/// Chooses the model's files among those in `place`: `config.json` with weights in safetensors, otherwise the only `.gguf` file,
/// otherwise `config.json` with weights in PyTorch's format. `wanted` is the name of a `.gguf` file that was requested. Files in
/// folders below `place` count only if they are requested. A split `.gguf` file counts as one file.
///
/// # Errors
/// `invalid-argument` if the files form no model or several models, or if `wanted` is not among them; `limit-exceeded` if a file
/// that is read as a whole is too long.
pub fn files_of(place: &str, listing: &[Listed], wanted: Option<&str>) -> Result<FileSet> {
    let has = |name: &str| listing.iter().any(|file| file.name == name);
    let gguf = gguf_models(listing);
    if let Some(wanted) = wanted {
        if is_gguf(wanted) && has(wanted) {
            return gguf_set(place, wanted, has);
        }
        let found = if gguf.is_empty() { "no .gguf file".to_owned() } else { gguf.join(", ") };
        bail!(InvalidArgument, "{place}: expected {wanted}, found {found}");
    }
    let pickles: &[&str] = if gguf.is_empty() { &[PICKLE_FILE, PICKLE_INDEX_FILE] } else { &[] };
    let weights = [WEIGHTS_FILE, INDEX_FILE].iter().chain(pickles).find(|name| has(name)).copied();
    if let Some(weights) = weights.filter(|_| has(CONFIG_FILE)) {
        let mut optional = optional_files();
        // tokenizer.json already contains the vocabulary.
        optional.retain(|name| has(name) && !(VOCABULARY_FILES.contains(name) && has(TOKENIZER_FILE)));
        check_size(listing, CONFIG_FILE, MAX_CONFIG_BYTES)?;
        for name in &optional {
            check_size(listing, name, MAX_TOKENIZER_BYTES)?;
        }
        return Ok(FileSet::HuggingFace { weights, optional });
    }
    match (gguf.as_slice(), weights) {
        ([only], _) => gguf_set(place, only, has),
        ([first, _, ..], _) => bail!(
            InvalidArgument,
            "{place}: expected one .gguf file, found {}; choose one of them, such as {place}/{}",
            gguf.join(", "),
            suited(&gguf).unwrap_or(first)
        ),
        ([], Some(weights)) => {
            bail!(InvalidArgument, "{place}: expected a {CONFIG_FILE} next to {weights}, found none")
        }
        ([], None) if has(CONFIG_FILE) => {
            bail!(
                InvalidArgument,
                "{place}: expected weights next to {CONFIG_FILE} ({WEIGHTS_FILE}, {PICKLE_FILE}, an index of either, or a \
                 .gguf file), found none"
            )
        }
        ([], None) => {
            bail!(InvalidArgument, "{place}: expected a {CONFIG_FILE} or a .gguf file, found neither")
        }
    }
}

/// The set of a `.gguf` file, with all its parts if it belongs to a split one.
fn gguf_set(place: &str, name: &str, has: impl Fn(&str) -> bool) -> Result<FileSet> {
    let names = with_parts(name);
    if let Some(missing) = names.iter().find(|name| !has(name)) {
        bail!(
            InvalidArgument,
            "{place}: expected all {} parts of a split .gguf file, found no {missing}",
            names.len()
        );
    }
    Ok(FileSet::Gguf(names))
}

/// Every optional file: those of the tokenizer, the chat template and generation.
pub(crate) fn optional_files() -> Vec<&'static str> {
    let before = [TOKENIZER_FILE, DECLARATION_FILES[0], CHAT_FILE, GENERATION_FILE];
    before.into_iter().chain(DECLARATION_FILES[1..].iter().copied()).chain(VOCABULARY_FILES).collect()
}

/// The names to request first from a server that cannot be listed.
pub fn first_names() -> Vec<&'static str> {
    let first = [CONFIG_FILE, WEIGHTS_FILE].into_iter().chain(optional_files());
    first.filter(|name| !VOCABULARY_FILES.contains(name)).collect()
}

/// The names to request next from such a server. `found` has the files of [`first_names`] that exist, or a `.gguf` file that was
/// requested. The names are other forms of the weights and of the tokenizer, and the other parts of a split `.gguf` file.
pub fn further_names(found: &[Listed]) -> Vec<String> {
    let has = |name: &str| found.iter().any(|file| file.name == name);
    let mut names = Vec::new();
    if has(CONFIG_FILE) && !has(WEIGHTS_FILE) {
        names.extend([INDEX_FILE, PICKLE_FILE, PICKLE_INDEX_FILE]);
    }
    if has(CONFIG_FILE) && !has(TOKENIZER_FILE) {
        names.extend(VOCABULARY_FILES);
    }
    let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    if let [only] = found {
        names.extend(with_parts(&only.name).into_iter().filter(|name| *name != only.name));
    }
    names
}

/// The `.gguf` file with a quantization such as `Q8_0`, among those in `place`.
///
/// # Errors
/// `invalid-argument` if there is no such file, or if there are several.
pub fn file_of_quantization(place: &str, listing: &[Listed], quantization: &str) -> Result<String> {
    of_quantization(place, &gguf_models(listing), quantization).map(str::to_owned)
}

/// The names of the `.gguf` files that may be models, in order. Vision projectors and importance matrices are not models. For a
/// split file, only the first existing part is included.
fn gguf_models(listing: &[Listed]) -> Vec<&str> {
    let mut names: Vec<&str> = listing.iter().map(|file| file.name.as_str()).collect();
    names.retain(|name| is_gguf(name) && !name.contains('/'));
    let is_model = |name: &&str| {
        let name = name.to_ascii_lowercase();
        !name.contains("mmproj") && !name.contains("imatrix")
    };
    if names.iter().any(is_model) {
        names.retain(is_model);
    }
    names.sort_unstable();
    // The parts of one file are adjacent now, with the first of them in front.
    let whole = |name: &str| Part::of(name).map(|part| (part.stem.to_owned(), part.count));
    names.dedup_by(|next, first| whole(next).is_some_and(|part| whole(first) == Some(part)));
    names
}

fn check_size(listing: &[Listed], name: &str, limit: u64) -> Result<()> {
    let size = listing.iter().find(|file| file.name == name).and_then(|file| file.size);
    match size.filter(|size| *size > limit) {
        Some(size) => bail!(LimitExceeded, "{name}: expected at most {limit} bytes, found {size}"),
        None => Ok(()),
    }
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
                if let (Some(index), Some(name)) = (&index, set.index()) {
                    names.extend(crate::format::sharded::shards(name, index.as_bytes())?);
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
        let listed = |name: &str| Listed { name: name.to_owned(), size: None };
        assert!(further_names(&[]).is_empty());
        let only_config = further_names(&[listed(CONFIG_FILE)]);
        let asked: Vec<String> = first_names().into_iter().map(str::to_owned).chain(only_config).collect();
        for weights in [WEIGHTS_FILE, INDEX_FILE, PICKLE_FILE, PICKLE_INDEX_FILE] {
            let set = FileSet::HuggingFace { weights, optional: optional_files() };
            assert!(set.names().into_iter().all(|name| asked.contains(&name.to_owned())), "{asked:?}");
        }
        assert!(further_names(&first_names().into_iter().map(listed).collect::<Vec<_>>()).is_empty());
        assert!(further_names(&[listed("m.gguf")]).is_empty());
        assert_eq!(further_names(&[listed("m-00002-of-00002.gguf")]), ["m-00001-of-00002.gguf"]);
    }
}
