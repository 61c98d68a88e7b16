//! The future type of the crate. Everything runs on one thread, because a web worker has only one, and WebGPU handles in a browser
//! cannot be sent to another thread.

use std::future::Future;
use std::pin::Pin;

/// A boxed future that stays on its thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
