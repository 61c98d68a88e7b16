//! How matmuls are cut on this machine's adapters: measured once, and remembered in a file of the user's cache.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::Result;
use crate::gpu::Backend;
use crate::kernel::tiles::Choice;
use crate::kernel::tuner;

/// The choice that `--tiles` asks for: its own, or where it says `auto`, what was measured on this adapter.
pub(super) async fn choose(backend: &dyn Backend, wanted: &str) -> Result<Choice> {
    match wanted {
        "untuned" => return Ok(Choice::untuned(&backend.limits())),
        "auto" => {}
        tiles => return tiles.parse(),
    }
    // Another version may have other kernels.
    let key = format!("{} {}", env!("CARGO_PKG_VERSION"), backend.name());
    let file = file();
    let mut known: BTreeMap<String, String> = file
        .as_ref()
        .and_then(|file| std::fs::read(file).ok())
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    if let Some(choice) = known.get(&key).and_then(|text| text.parse().ok()) {
        return Ok(choice);
    }
    let choice = tuner::tune(backend).await?;
    known.insert(key, choice.to_string());
    if let (Some(file), Ok(text)) = (file, serde_json::to_vec_pretty(&known)) {
        // A cache that cannot be written costs the next run a second or two.
        let _ = file.parent().map(std::fs::create_dir_all);
        let _ = std::fs::write(file, text);
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
