//! The order in which a file stores a tensor's elements.

use std::ops::Range;

/// The order of a tensor's elements in its file, relative to Hugging Face's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The elements are stored in Hugging Face's order.
    AsStored,
    /// Within each head of `head_rows` rows, the two rotary halves alternate: Hugging Face's row
    /// `s * head_rows / 2 + i` (half `s`) is stored as row `2 * i + s`.
    RotaryInterleaved {
        /// Number of rows of one head, which is even and not 0.
        head_rows: u64,
    },
    /// All queries are stored first, then all keys, then all values. In Hugging Face's order, the query, key and value of a head
    /// `h` are adjacent, and row `i` of its part `p` is stored as row `(p * heads + h) * head_rows + i`.
    PartsTogether {
        /// Number of heads.
        heads: u64,
        /// Number of rows of one head's query, which is not 0.
        head_rows: u64,
    },
    /// The elements are stored at regular distances, such as those of a transposed matrix.
    Strided(Strided),
}

/// Element `e` is stored `(e / inner) * outer_stride + (e % inner) * inner_stride` elements after
/// the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Strided {
    inner: u64,
    outer_stride: u64,
    inner_stride: u64,
}

impl Order {
    /// The order of a tensor of this shape whose neighbors in each dimension are `strides` elements apart. `None` if more than two
    /// dimensions remain after merging dimensions that are contiguous in each other, or if several elements share the same storage.
    pub(crate) fn of_strides(shape: &[u64], strides: &[u64]) -> Option<Order> {
        if shape.contains(&0) {
            return Some(Order::AsStored);
        }
        // Number of elements and stride, outermost first.
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (n, stride) in shape.iter().copied().zip(strides.iter().copied()).filter(|(n, _)| *n > 1) {
            match joined.last_mut() {
                Some((before, outer)) if stride.checked_mul(n) == Some(*outer) => {
                    *before = before.checked_mul(n)?;
                    *outer = stride;
                }
                _ => joined.push((n, stride)),
            }
        }
        match *joined.as_slice() {
            [] | [(_, 1)] => Some(Order::AsStored),
            [(inner, inner_stride)] if inner_stride > 0 => {
                Some(Order::Strided(Strided { inner, outer_stride: 1, inner_stride }))
            }
            [(_, outer_stride), (inner, inner_stride)] if outer_stride > 0 && inner_stride > 0 => {
                Some(Order::Strided(Strided { inner, outer_stride, inner_stride }))
            }
            _ => None,
        }
    }
}

/// An inclusive range of indices: first and last.
type Span = (u64, u64);

impl Strided {
    /// The rows and columns, with `inner` elements per row, that contain the elements `first ..= last`.
    fn box_of(self, first: u64, last: u64) -> (Span, Span) {
        let rows = (first / self.inner, last / self.inner);
        let whole = (0, self.inner - 1);
        (rows, if rows.0 == rows.1 { (first % self.inner, last % self.inner) } else { whole })
    }

    fn position(self, row: u64, column: u64) -> u64 {
        row * self.outer_stride + column * self.inner_stride
    }

    /// The range of stored elements that contains the `count` elements from `first` on; `None` if `count` is 0.
    pub(super) fn stored(self, first: u64, count: u64) -> Option<Range<u64>> {
        let last = (first + count).checked_sub(1).filter(|_| count > 0)?;
        let (rows, columns) = self.box_of(first, last);
        Some(self.position(rows.0, columns.0)..self.position(rows.1, columns.1) + 1)
    }

    /// Copies elements of `size` bytes to their places. `bytes` has the stored elements starting at `at`, and `out` has the
    /// elements starting at `first`.
    pub(super) fn place(self, bytes: &[u8], size: usize, at: u64, first: u64, out: &mut [u8]) {
        let last = first + (out.len() / size) as u64 - 1;
        let window = (at, at + (bytes.len() / size) as u64 - 1);
        let (rows, columns) = self.box_of(first, last);
        // The dimension with the longer stride is the outer one in the file.
        let is_turned = self.outer_stride < self.inner_stride;
        let (long, short) = if is_turned { (columns, rows) } else { (rows, columns) };
        let long_stride = self.outer_stride.max(self.inner_stride);
        let short_stride = self.outer_stride.min(self.inner_stride);
        for l in within(window, short.1 * short_stride, short.0 * short_stride, long_stride, long) {
            for s in within(window, l * long_stride, l * long_stride, short_stride, short) {
                let (row, column) = if is_turned { (s, l) } else { (l, s) };
                let element = row * self.inner + column;
                if (first..=last).contains(&element) {
                    let from = (self.position(row, column) - at) as usize * size;
                    let to = (element - first) as usize * size;
                    out[to..to + size].copy_from_slice(&bytes[from..from + size]);
                }
            }
        }
    }
}

/// The indices in `all` whose positions can be in `window`. The position of an index is `stride` times the index plus at least
/// `least` and at most `most`.
fn within(window: Span, most: u64, least: u64, stride: u64, all: Span) -> Range<u64> {
    let from = window.0.saturating_sub(most).div_ceil(stride).max(all.0);
    match window.1.checked_sub(least) {
        Some(to) => from..(to / stride).min(all.1) + 1,
        None => 0..0,
    }
}
