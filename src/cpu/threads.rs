//! Work on chunks of a tensor, spread over the machine's threads. Results do not depend on which thread computes a chunk.

/// Calls `each` with every chunk of `len` elements, after its index. The last chunk may be shorter.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn chunks<T: Send>(data: &mut [T], len: usize, each: impl Fn(usize, &mut [T]) + Sync) {
    use rayon::iter::{IndexedParallelIterator, ParallelIterator};
    use rayon::slice::ParallelSliceMut;

    if data.len() <= len {
        return each(0, data);
    }
    data.par_chunks_mut(len.max(1)).enumerate().for_each(|(i, chunk)| each(i, chunk));
}

/// Calls `each` with every chunk of `len` elements, after its index. The last chunk may be shorter.
#[cfg(target_arch = "wasm32")]
pub(super) fn chunks<T: Send>(data: &mut [T], len: usize, each: impl Fn(usize, &mut [T]) + Sync) {
    data.chunks_mut(len.max(1)).enumerate().for_each(|(i, chunk)| each(i, chunk));
}

/// Calls `each` with every task.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn tasks<T: Send>(tasks: Vec<T>, each: impl Fn(T) + Sync + Send) {
    use rayon::iter::{IntoParallelIterator, ParallelIterator};

    tasks.into_par_iter().for_each(each);
}

/// Calls `each` with every task.
#[cfg(target_arch = "wasm32")]
pub(super) fn tasks<T: Send>(tasks: Vec<T>, each: impl Fn(T) + Sync + Send) {
    tasks.into_iter().for_each(each);
}

/// Number of threads.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn count() -> usize {
    rayon::current_num_threads()
}

/// Number of threads.
#[cfg(target_arch = "wasm32")]
pub(super) fn count() -> usize {
    1
}
