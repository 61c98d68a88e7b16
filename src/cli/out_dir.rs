//! The output directory of a command. It is claimed before anything is loaded. This ensures that no other run writes there, that it
//! does not contain an input, and that it is writable.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use same_file::Handle;

use super::files::{self, write_error};
use super::print::note;
use super::run_dir;
use crate::error::{Result, bail};

/// The file that is locked while a command writes into its directory. The system releases the lock when the process ends, in
/// whatever way. The file's presence alone means nothing.
pub(super) const LOCK_FILE: &str = "run.lock";

/// The files of a trained model: the whole model, an adapter, or a readout.
pub(super) const RESULTS: &[&str] = &[
    "model.safetensors",
    "config.json",
    "adapter_config.json",
    "adapter_model.safetensors",
    "adapter.gguf",
    "readout.json",
    "readout.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
    "2_Dense/config.json",
    "2_Dense/model.safetensors",
];

/// A file or directory that a command reads, with the flag that names it.
pub(super) type Input<'a> = (&'static str, &'a Path);

/// A directory that only this process writes into.
#[derive(Debug)]
pub(super) struct OutDir {
    path: PathBuf,
    /// Whether this process created the directory.
    made: bool,
    /// The locked file; `None` if the file system has no locks.
    lock: Option<File>,
}

impl OutDir {
    /// Claims `path` for a command that reads `inputs` and writes the files `written` there.
    ///
    /// # Errors
    /// `invalid-argument` if another process writes there, if an input would be overwritten, or if the directory is not writable;
    /// `storage-full`.
    pub(super) fn claim(path: &Path, inputs: &[Input<'_>], written: &[&str]) -> Result<OutDir> {
        if path.exists() && !path.is_dir() {
            bail!(InvalidArgument, "--out {}: expected a directory, found a file", path.display());
        }
        refuse_inputs(path, inputs, written)?;
        let made = !path.exists();
        files::make_dir(path)?;
        let lock = lock(path)?;
        let dir = OutDir { path: path.to_owned(), made, lock };
        dir.probe()?;
        Ok(dir)
    }

    /// The directory's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file to check that this is possible, and deletes partial files left by processes that were killed.
    fn probe(&self) -> Result<()> {
        let probe = files::Replacement::create(&self.path.join(run_dir::TRAJECTORY))?;
        drop(probe);
        let written = RESULTS.iter().filter_map(|name| self.path.join(name).parent().map(Path::to_owned));
        let dirs: BTreeSet<PathBuf> = written.chain([self.path.clone()]).collect();
        for entry in dirs.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten() {
            if entry.file_name().to_str().is_some_and(files::is_partial) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Checks that the disk has space for `bytes` bytes, if the system reports the free space.
    ///
    /// # Errors
    /// `storage-full` with both numbers.
    pub(super) fn check_space(&self, bytes: u64) -> Result<()> {
        match free_bytes(&self.path) {
            Some(free) if free < bytes => bail!(
                StorageFull,
                "{}: up to {:.1} MB will be written, but the disk has only {:.1} MB free",
                self.path.display(),
                bytes as f64 / 1e6,
                free as f64 / 1e6
            ),
            _ => Ok(()),
        }
    }
}

impl Drop for OutDir {
    /// Deletes the lock file while it is still locked, and the directory if nothing was written into it.
    fn drop(&mut self) {
        if self.lock.is_some() {
            let _ = std::fs::remove_file(self.path.join(LOCK_FILE));
        }
        if self.made {
            // A directory that is not empty is kept.
            let _ = std::fs::remove_dir(&self.path);
        }
    }
}

/// Locks the lock file of a directory.
fn lock(dir: &Path) -> Result<Option<File>> {
    let path = dir.join(LOCK_FILE);
    let failed = |e: std::io::Error| write_error(&path, &e);
    loop {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // The process that holds the lock has written its id there. On Windows, a locked file cannot be read.
                let mut text = String::new();
                let _ = file.take(20).read_to_string(&mut text);
                let by = text.trim().parse().map_or(String::new(), |id: u32| format!(" (process {id})"));
                bail!(
                    InvalidArgument,
                    "{}: another command{by} is writing into this directory. Wait until it ends, or give another --out",
                    path.display()
                );
            }
            // Some network file systems do not support locks.
            Err(TryLockError::Error(error)) => {
                let _ = std::fs::remove_file(&path);
                let path = path.display();
                note!(
                    "{path}: cannot be locked ({error}), so a second command with this --out would not be noticed"
                );
                return Ok(None);
            }
        }
        // A process that has just ended may have deleted the file that is locked now.
        let locked = file.try_clone().and_then(Handle::from_file).map_err(failed)?;
        if Handle::from_path(&path).is_ok_and(|current| current == locked) {
            let written = file
                .set_len(0)
                .and_then(|()| file.seek(SeekFrom::Start(0)))
                .and_then(|_| writeln!(file, "{}", std::process::id()));
            written.map_err(failed)?;
            return Ok(Some(file));
        }
    }
}

/// Rejects output files that are also inputs, even if the two have different names.
fn refuse_inputs(out: &Path, inputs: &[Input<'_>], written: &[&str]) -> Result<()> {
    // A file that does not exist yet cannot be an input.
    let Ok(dir) = Handle::from_path(out) else { return Ok(()) };
    for (flag, input) in inputs {
        if Handle::from_path(input).is_ok_and(|input| input == dir) {
            bail!(
                InvalidArgument,
                "--out {}: this is also the directory of {flag}, whose files would be replaced. Give another directory",
                out.display()
            );
        }
    }
    written.iter().try_for_each(|name| refuse_input_file(&out.join(name), inputs))
}

/// Rejects an output file that is an input, or is in an input's directory.
///
/// # Errors
/// `invalid-argument` naming both.
pub(super) fn refuse_input_file(out: &Path, inputs: &[Input<'_>]) -> Result<()> {
    // A directory is not replaced: writing it fails with the reason.
    if out.is_dir() {
        return Ok(());
    }
    let Ok(file) = Handle::from_path(out) else { return Ok(()) };
    for (flag, input) in inputs {
        let entries = std::fs::read_dir(input).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in entries.chain([input.to_path_buf()]) {
            if Handle::from_path(&path).is_ok_and(|input| input == file) {
                let (out, path) = (out.display(), path.display());
                let why = match input.is_dir() {
                    true => format!("but it is the file {path} in the directory of {flag}"),
                    false => format!("but {flag} reads it as {path}"),
                };
                bail!(InvalidArgument, "--out: {out} would be replaced, {why}. Give another --out");
            }
        }
    }
    Ok(())
}

/// Bytes that this user may still write on a directory's disk; `None` if unknown.
#[cfg(unix)]
fn free_bytes(dir: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let first = OutDir::claim(&out, &[], &[]).unwrap();
        let error = OutDir::claim(&out, &[], &[]).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().contains("run.lock") && error.message().contains("process"), "{error}");
        drop(first);
        assert!(!out.exists(), "nothing was written, so nothing stays");
        let again = OutDir::claim(&out, &[], &[]).unwrap();
        std::fs::write(out.join("a.7.partial"), "").unwrap();
        std::fs::create_dir(out.join("2_Dense")).unwrap();
        std::fs::write(out.join("2_Dense/config.json.7.partial"), "").unwrap();
        std::fs::write(out.join("kept"), "").unwrap();
        drop(again);
        drop(OutDir::claim(&out, &[], &[]).unwrap());
        // This succeeds only if the directory is empty.
        std::fs::remove_dir(out.join("2_Dense")).unwrap();
        let names: Vec<_> = std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["kept"]);
    }

    #[test]
    fn a_disk_that_is_too_small_is_found_first() {
        let dir = tempfile::tempdir().unwrap();
        let out = OutDir::claim(dir.path(), &[], &[]).unwrap();
        out.check_space(1).unwrap();
        if free_bytes(dir.path()).is_some() {
            assert_eq!(out.check_space(1 << 62).unwrap_err().code(), Code::StorageFull);
        }
    }

    #[test]
    fn inputs_are_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("model")).unwrap();
        std::fs::create_dir_all(at("out")).unwrap();
        std::fs::write(at("model/model.safetensors"), "weights").unwrap();
        std::fs::write(at("a.gguf"), "weights").unwrap();
        let model = at("model");
        let refused = |out: &Path, input: &Path| {
            let error = OutDir::claim(out, &[("--model", input)], RESULTS).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.message().contains("--model"), "{error}");
        };
        refused(&model, &model);
        refused(&at("model/../model/."), &model);
        OutDir::claim(&at("out"), &[("--model", &model)], RESULTS).unwrap();
        OutDir::claim(&at("model/run"), &[("--model", &model)], RESULTS).unwrap();
        let gguf = at("a.gguf");
        assert!(OutDir::claim(&gguf, &[("--model", &gguf)], RESULTS).is_err());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&model, at("link")).unwrap();
            refused(&at("link"), &model);
            refused(&model, &at("link"));
            std::os::unix::fs::symlink(at("model/model.safetensors"), at("out/model.safetensors")).unwrap();
            refused(&at("out"), &model);
            refuse_input_file(&at("new"), &[("--model", &model)]).unwrap();
            assert!(refuse_input_file(&at("out/model.safetensors"), &[("--model", &model)]).is_err());
        }
    }
}
