//! Files that are not what their names say: files that servers and version control leave in place of a model file, and truncated files.

use super::ByteSource;
use crate::error::{Result, bail};

/// Number of bytes at the beginning of a file that are enough to recognize it.
const HEAD: u64 = 256;

/// The first line of a Git LFS pointer (<https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>).
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Rejects an empty file, a web page and a Git LFS pointer. They are often found in place of a model file, and a parser would only
/// report that the file is damaged.
///
/// # Errors
/// `file-corrupt`, naming the file and what it is; and the errors of [`ByteSource::read`].
pub async fn refuse_stand_in(source: &dyn ByteSource) -> Result<()> {
    let name = source.name();
    if source.is_empty() {
        bail!(FileCorrupt, "{name}: the file is empty");
    }
    let head = source.read(0, source.len().min(HEAD) as usize).await?;
    if head.starts_with(LFS) {
        bail!(
            FileCorrupt,
            "{name}: expected the file itself, found a Git LFS pointer to it; fetch it with `git lfs pull`, or download \
             the file directly"
        );
    }
    if is_web_page(&head) {
        bail!(
            FileCorrupt,
            "{name}: expected the file itself, found a web page (HTML); the address or the sign-in may be wrong"
        );
    }
    Ok(())
}

/// Rejects a truncated JSON object.
///
/// # Errors
/// `file-corrupt`, naming the file.
pub fn refuse_cut_json(name: &str, bytes: &[u8]) -> Result<()> {
    let text = bytes.trim_ascii();
    if text.starts_with(b"{") && !text.ends_with(b"}") {
        bail!(FileCorrupt, "{name}: expected JSON that ends with `}}`; the file is incomplete or damaged");
    }
    Ok(())
}

/// Whether a file starts like HTML, after a byte order mark and white space.
fn is_web_page(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    [&b"<!doctype"[..], b"<html", b"<head", b"<!--", b"<?xml"]
        .iter()
        .any(|start| text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)))
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the tests block on futures
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::error::Code;
    use crate::format::source::MemorySource;

    #[test]
    fn stand_ins_are_named() {
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
        for (bytes, says) in [
            (&b""[..], "the file is empty"),
            (pointer, "a Git LFS pointer"),
            (b"\n <!DOCTYPE html><title>Sign in</title>", "a web page"),
            (b"\xef\xbb\xbf<HTML>", "a web page"),
        ] {
            let error = block_on(refuse_stand_in(&MemorySource::new("x.bin", bytes.to_vec()))).unwrap_err();
            assert_eq!(error.code(), Code::FileCorrupt);
            assert!(error.message().starts_with("x.bin: ") && error.message().contains(says), "{error}");
        }
        for bytes in [&b"{}"[..], b"GGUF", b"PK\x03\x04", b"version", b"<s>"] {
            block_on(refuse_stand_in(&MemorySource::new("x", bytes.to_vec()))).unwrap();
        }
    }

    #[test]
    fn json_that_ends_early_is_named() {
        for cut in ["{", "{\"a\": 1", "{\"a\": [1, 2]\n"] {
            let error = refuse_cut_json("config.json", cut.as_bytes()).unwrap_err();
            assert!(error.message().contains("incomplete"), "{error}");
        }
        for whole in ["{}", " {\"a\": {}}\n", "[]", ""] {
            refuse_cut_json("config.json", whole.as_bytes()).unwrap();
        }
    }
}
