//! The crate's only error type: a stable [`Code`] for programs and a message for people.
//!
//! A message names the file, field or row, what was expected there and what was found.

use std::fmt;

/// What went wrong. The codes are a public contract: they also appear in JavaScript as
/// `PocketError.code` and in the command line's `--json` output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// There is no usable WebGPU adapter.
    WebgpuUnavailable,
    /// The GPU device was lost while it was in use.
    DeviceLost,
    /// An allocation on the GPU or the host failed.
    OutOfMemory,
    /// The model or the settings need more than the adapter's limits.
    LimitExceeded,
    /// The model's family, or one of its features, is not implemented.
    ModelUnsupported,
    /// A model file, tokenizer or trajectory does not follow its format.
    FileCorrupt,
    /// The training or evaluation data are not valid.
    DataInvalid,
    /// A trajectory was recorded with another model or other settings.
    TrajectoryMismatch,
    /// A loss became infinite or NaN.
    NonFiniteLoss,
    /// The disk or the origin's storage is full.
    StorageFull,
    /// A file could not be downloaded.
    Network,
    /// The caller stopped the operation.
    Aborted,
    /// An argument or a setting is not allowed.
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

/// An error with a stable code and a message that says where it occurred and what went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Code,
    message: String,
}

/// The result type of the crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Creates an error with this code and message.
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

    /// Adds `place: ` in front of the message, for a caller that knows the file or row.
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

/// Builds an [`Error`] from a [`Code`] variant and a format string: `err!(FileCorrupt, "{name}:
/// ...")`.
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
