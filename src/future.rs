//! Futures of the crate. Everything runs on one thread: a tab's worker has no other, and the GPU
//! handles of the web cannot be sent to one.

use std::future::Future;
use std::pin::Pin;

/// A boxed future that stays on its thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
