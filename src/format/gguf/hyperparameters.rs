//! The hyperparameters in the metadata of a GGUF file.

use super::Metadata;
use crate::error::Result;

/// The hyperparameters of an architecture: metadata whose keys start with its name.
pub(super) struct Hyperparameters<'a> {
    pub(super) metadata: &'a Metadata,
    pub(super) architecture: &'static str,
}

impl<'a> Hyperparameters<'a> {
    /// The name of the file.
    pub(super) fn file(&self) -> &'a str {
        self.metadata.name()
    }

    /// A hyperparameter's full key.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    pub(super) fn opt_u32(&self, name: &str) -> Result<Option<u32>> {
        self.metadata.opt_u32(&self.key(name))
    }

    pub(super) fn u32(&self, name: &str) -> Result<u32> {
        self.metadata.u32(&self.key(name))
    }

    pub(super) fn opt_bool(&self, name: &str) -> Result<Option<bool>> {
        self.metadata.opt_bool(&self.key(name))
    }

    pub(super) fn opt_f32(&self, name: &str) -> Result<Option<f32>> {
        self.metadata.opt_f32(&self.key(name))
    }

    pub(super) fn f32(&self, name: &str) -> Result<f32> {
        self.metadata.f32(&self.key(name))
    }

    pub(super) fn opt_str(&self, name: &str) -> Result<Option<&'a str>> {
        self.metadata.opt_str(&self.key(name))
    }
}
