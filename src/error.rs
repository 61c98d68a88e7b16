//! The one error type of the crate: a stable [`Code`] for programs and a message for people.
//!
//! A message names the file, field or row, what was expected there and what was found.

use std::fmt;

/// What went wrong, in the words of the public contract: the same codes reach JavaScript as
/// `PocketError.code` and the command line's `--json` output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// No usable WebGPU adapter.
    WebgpuUnavailable,
    /// The GPU device went away while it was in use.
    DeviceLost,
    /// An allocation on the GPU or the host could not be made.
    OutOfMemory,
    /// The model or the settings need more than the adapter's limits.
    LimitExceeded,
    /// The model is of a kind, or has a feature, that is not implemented.
    ModelUnsupported,
    /// A model file, tokenizer or trajectory does not follow its format.
    FileCorrupt,
    /// The training or evaluation data cannot be used as they are.
    DataInvalid,
    /// A trajectory was made with another model or other settings.
    TrajectoryMismatch,
    /// A loss became infinite or not a number.
    NonFiniteLoss,
    /// The disk or the origin's storage is full.
    StorageFull,
    /// A file could not be fetched.
    Network,
    /// The caller asked to stop.
    Aborted,
    /// A setting is outside of what it may be.
    InvalidArgument,
}

impl Code {
    /// The stable spelling, as in `PocketError.code`.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::WebgpuUnavailable => "webgpu-unavailable",
            Code::DeviceLost => "device-lost",
            Code::OutOfMemory => "out-of-memory",
            Code::LimitExceeded => "limit-exceeded",
            Code::ModelUnsupported => "model-unsupported",
            Code::FileCorrupt => "file-corrupt",
            Code::DataInvalid => "data-invalid",
            Code::TrajectoryMismatch => "trajectory-mismatch",
            Code::NonFiniteLoss => "non-finite-loss",
            Code::StorageFull => "storage-full",
            Code::Network => "network",
            Code::Aborted => "aborted",
            Code::InvalidArgument => "invalid-argument",
        }
    }
}

/// An error with a stable code and a message that says where and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Code,
    message: String,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of this code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error { code, message: message.into() }
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The message, without the code.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same error with `place: ` before its message, for a caller that knows the file or row.
    pub fn at(self, place: impl fmt::Display) -> Self {
        Error { code: self.code, message: format!("{place}: {}", self.message) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code.as_str())
    }
}

impl std::error::Error for Error {}

/// Builds an [`Error`] from a [`Code`] variant and a format string: `err!(FileCorrupt, "{name}: ...")`.
macro_rules! err {
    ($code:ident, $($arg:tt)*) => {
        $crate::error::Error::new($crate::error::Code::$code, format!($($arg)*))
    };
}

/// Returns early with an [`Error`]: `bail!(DataInvalid, "row {row}: ...")`.
macro_rules! bail {
    ($code:ident, $($arg:tt)*) => {
        return Err($crate::error::err!($code, $($arg)*))
    };
}

pub(crate) use {bail, err};
