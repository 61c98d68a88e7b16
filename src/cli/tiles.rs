//! The matmul tiles for this machine's adapters, which are measured once and remembered in a file in the user's cache.

use std::path::PathBuf;

use super::files;
use crate::error::Result;
use crate::gemm::Choice;
use crate::gemm::tuner::{self, Known};
use crate::gpu::Backend;

/// The choice specified by `--tiles`.
pub(super) async fn choose(backend: &dyn Backend, wanted: &str) -> Result<Choice> {
    let file = file();
    let before: Known = file
        .as_ref()
        .and_then(|file| std::fs::read(file).ok())
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut known = before.clone();
    let choice = tuner::choose(backend, wanted, &mut known).await?;
    if known != before
        && let (Some(file), Ok(text)) = (file, serde_json::to_vec_pretty(&known))
    {
        // If the cache cannot be written, the next run measures again, which takes a second or two.
        let _ = file.parent().map(std::fs::create_dir_all);
        let _ = files::write(&file, text);
    }
    Ok(choice)
}

/// `pocketllm/tiles.json` in the user's cache.
fn file() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache =
        of("XDG_CACHE_HOME").or_else(|| of("LOCALAPPDATA")).or_else(|| Some(of("HOME")?.join(".cache")));
    Some(cache?.join("pocketllm").join("tiles.json"))
}
