//! Printing: results go to stdout and notes to stderr. Nothing panics if the reader of a pipe has closed it.

use std::fmt::{Arguments, Display};
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::Path;

use super::files::write_error;
use crate::error::Result;

/// Prints a line of results with [`line`].
macro_rules! say {
    ($($arg:tt)*) => { $crate::cli::print::line(format_args!($($arg)*)) };
}

/// Prints a line to stderr with [`write_note`].
macro_rules! note {
    ($($arg:tt)*) => { $crate::cli::print::write_note(format_args!($($arg)*)) };
}

pub(super) use {note, say};

/// Prints a line of results. A reader that has closed the pipe, as `head` does, has read all it needs, so this is not an error.
///
/// # Errors
/// The errors of [`write_error`], for example if stdout is a file on a full disk.
pub(super) fn line(text: impl Display) -> Result<()> {
    piece(format_args!("{text}\n")).map(drop)
}

/// Prints a part of a line immediately. Returns `Break` if the reader has closed the pipe.
///
/// # Errors
/// The errors of [`line`].
pub(super) fn piece(text: impl Display) -> Result<ControlFlow<()>> {
    let mut stdout = std::io::stdout().lock();
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(write_error(Path::new("stdout"), &error)),
    }
}

/// Prints a line to stderr. Training continues even if nobody reads its notes any more.
pub(super) fn write_note(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
