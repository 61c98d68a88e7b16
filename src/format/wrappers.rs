//! Prefixes that training programs add to a model's tensor names: `torch.compile` wraps a module as `_orig_mod`, `DataParallel` as
//! `module`.

use std::collections::BTreeMap;

use super::checkpoint::Checkpoint;
use crate::error::{Result, bail};

/// The name of a compiled module, which can be at any depth.
const COMPILED: &str = "_orig_mod.";

/// The name of a module that is trained on several devices. It is the outermost one. Other modules may have the same name, so it is
/// removed only if all names have it.
const PARALLEL: &str = "module.";

/// The same checkpoint with the model's original tensor names.
///
/// # Errors
/// `file-corrupt` if two tensors then have the same name.
pub(super) fn without_wrappers(mut checkpoint: Checkpoint) -> Result<Checkpoint> {
    let name = checkpoint.name();
    let is_wrapped = |key: &String| key.contains(COMPILED) || key.starts_with(PARALLEL);
    if !checkpoint.tensors.keys().chain(checkpoint.unread.keys()).any(is_wrapped) {
        return Ok(checkpoint);
    }
    checkpoint.tensors = renamed(&name, checkpoint.tensors, |key| key.replace(COMPILED, ""))?;
    checkpoint.unread = renamed(&name, checkpoint.unread, |key| key.replace(COMPILED, ""))?;
    if checkpoint.tensors.keys().chain(checkpoint.unread.keys()).all(|key| key.starts_with(PARALLEL)) {
        let strip = |key: &str| key.strip_prefix(PARALLEL).unwrap_or(key).to_owned();
        checkpoint.tensors = renamed(&name, checkpoint.tensors, strip)?;
        checkpoint.unread = renamed(&name, checkpoint.unread, strip)?;
    }
    for (key, tensor) in &mut checkpoint.tensors {
        tensor.name.clone_from(key);
    }
    Ok(checkpoint)
}

fn renamed<T>(
    file: &str,
    map: BTreeMap<String, T>,
    rename: impl Fn(&str) -> String,
) -> Result<BTreeMap<String, T>> {
    let mut other = BTreeMap::new();
    for (key, value) in map {
        let short = rename(&key);
        if other.insert(short.clone(), value).is_some() {
            bail!(FileCorrupt, "{file}: tensor `{short}`: it occurs twice, also as `{key}`");
        }
    }
    Ok(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::format::checkpoint::TensorInfo;

    fn names(names: &[&str]) -> Result<Vec<String>> {
        let tensor = |name: &&str| {
            let info = TensorInfo::new((*name).to_owned(), DType::F32, vec![1], 0, 0);
            ((*name).to_owned(), info.unwrap())
        };
        let checkpoint = Checkpoint::new(names.iter().map(tensor).collect(), BTreeMap::new(), Vec::new());
        let checkpoint = without_wrappers(checkpoint)?;
        assert!(checkpoint.tensors.iter().all(|(name, tensor)| *name == tensor.name));
        Ok(checkpoint.tensors.into_keys().collect())
    }

    #[test]
    fn wrappers_are_removed() {
        for (stored, right) in [
            (&["_orig_mod.a.w", "_orig_mod.b.w"][..], &["a.w", "b.w"][..]),
            (&["a._orig_mod.w", "b.w"], &["a.w", "b.w"]),
            (&["module.a", "module.b"], &["a", "b"]),
            (&["module._orig_mod.a", "module._orig_mod.b"], &["a", "b"]),
            (&["_orig_mod.module.a", "_orig_mod.module.b"], &["a", "b"]),
            // A part of this model is called `module`.
            (&["module.a", "b"], &["b", "module.a"]),
        ] {
            assert_eq!(names(stored).unwrap(), right);
        }
        assert!(names(&["a", "_orig_mod.a"]).unwrap_err().message().contains("`a`: it occurs twice"));
    }
}
