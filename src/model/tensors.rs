//! The tensors of a model, in their canonical order, and the linear layers and norms that consist of them.
//!
//! A tensor's index in the list is its *ordinal*, which is part of the counter that its random direction is drawn from
//! ([`crate::zo::random`]). So the order of tensors in a family never changes.

/// Index of a tensor in the model's canonical order: its ordinal.
pub type TensorId = usize;

/// How a tensor is stored and used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorKind {
    /// `[rows, width]`: used in matmuls, or for looking up rows. Weight decay applies.
    Matrix,
    /// `[width]`: a bias or a norm's weight, without weight decay.
    Vector,
}

/// A tensor of the model.
#[derive(Clone, Debug)]
pub struct TensorSpec {
    /// The tensor's name in current Hugging Face checkpoints, and in exports.
    pub name: String,
    /// The tensor's names in other checkpoints.
    pub aliases: Vec<String>,
    /// Whether it is a matrix or a vector.
    pub kind: TensorKind,
    /// Number of rows; 1 for a vector.
    pub rows: u32,
    /// Elements of a row.
    pub width: u32,
    /// Whether checkpoints store the transpose, `[width, rows]`, as those of GPT-2 do. On the device, and for counting elements of
    /// random directions, the matrix is `[rows, width]`.
    pub transposed: bool,
    /// For the kernel of a convolution, which is a vector here, the number of taps. Checkpoints store it as `[width / taps, 1, taps]`.
    pub taps: Option<u32>,
    /// For a vector, the neutral value of its elements: 1 for the weight of most norms and for kernels, 0 for biases.
    pub neutral: f32,
}

impl TensorSpec {
    /// The number of elements.
    pub fn elements(&self) -> u64 {
        u64::from(self.rows) * u64::from(self.width)
    }

    /// The shape in checkpoints.
    pub fn shape(&self) -> Vec<u64> {
        match self.kind {
            TensorKind::Matrix if self.transposed => vec![self.width.into(), self.rows.into()],
            TensorKind::Matrix => vec![self.rows.into(), self.width.into()],
            TensorKind::Vector => match self.taps {
                Some(taps) => vec![(self.width / taps).into(), 1, taps.into()],
                None => vec![self.width.into()],
            },
        }
    }
}

/// The tensors of a model, in canonical order. A family adds to the list while it describes the model.
#[derive(Clone, Debug, Default)]
pub struct TensorList {
    tensors: Vec<TensorSpec>,
    /// Replacements that are tried on every name: (current spelling, that of another checkpoint).
    spellings: Vec<(&'static str, &'static str)>,
}

impl TensorList {
    /// An empty list. Every name is also looked up with each pair's first text replaced by its second.
    pub fn new(spellings: &[(&'static str, &'static str)]) -> Self {
        TensorList { tensors: Vec::new(), spellings: spellings.to_vec() }
    }

    /// The tensors so far.
    pub fn as_slice(&self) -> &[TensorSpec] {
        &self.tensors
    }

    /// Removes the tensors in `removed` if they are the last ones, since the ordinals of the others must not change. Returns
    /// whether they were removed.
    pub(super) fn remove_last(&mut self, removed: &[TensorId]) -> bool {
        let left = self.tensors.len() - removed.len();
        let are_last = removed.iter().all(|id| *id >= left);
        if are_last {
            self.tensors.truncate(left);
        }
        are_last
    }

    /// Adds alternative names under which checkpoints may store the tensor. They are tried last.
    pub(super) fn add_aliases(&mut self, id: TensorId, aliases: &[&str]) {
        self.tensors[id].aliases.extend(aliases.iter().map(|alias| (*alias).to_owned()));
    }

    fn add(&mut self, name: String, kind: TensorKind, (rows, width): (u32, u32), neutral: f32) -> TensorId {
        // Old checkpoints may differ in the prefix, in the norms' names, or in both.
        let mut aliases = vec![name.clone()];
        for (today, other) in &self.spellings {
            let replaced: Vec<String> = aliases.iter().map(|a| a.replace(today, other)).collect();
            aliases.extend(replaced);
        }
        aliases.retain(|a| *a != name);
        self.tensors.push(TensorSpec {
            name,
            aliases,
            kind,
            rows,
            width,
            transposed: false,
            taps: None,
            neutral,
        });
        self.tensors.len() - 1
    }

    /// Adds a matrix `[rows, width]`.
    pub fn matrix(&mut self, name: impl Into<String>, rows: u32, width: u32) -> TensorId {
        self.add(name.into(), TensorKind::Matrix, (rows, width), 0.0)
    }

    /// Adds a bias `[width]`.
    pub fn bias(&mut self, name: impl Into<String>, width: u32) -> TensorId {
        self.add(name.into(), TensorKind::Vector, (1, width), 0.0)
    }

    /// Adds `prefix.weight` `[rows, width]` and, if `bias` is set, `prefix.bias` `[rows]`.
    pub fn linear(&mut self, prefix: impl AsRef<str>, rows: u32, width: u32, bias: bool) -> Linear {
        let prefix = prefix.as_ref();
        let weight = self.matrix(format!("{prefix}.weight"), rows, width);
        let bias = bias.then(|| self.bias(format!("{prefix}.bias"), rows));
        Linear { weight, bias, first_row: 0, rows, width }
    }

    /// Adds a linear layer whose weight checkpoints store transposed, `[width, rows]`, such as transformers' Conv1D.
    pub fn conv1d(&mut self, prefix: impl AsRef<str>, rows: u32, width: u32, bias: bool) -> Linear {
        let linear = self.linear(prefix, rows, width, bias);
        self.tensors[linear.weight].transposed = true;
        linear
    }

    /// Adds the kernel of a depthwise convolution, `prefix.weight` `[columns, 1, taps]` and, if `bias` is set, `prefix.bias` `[columns]`.
    pub fn convolution(&mut self, prefix: impl AsRef<str>, columns: u32, taps: u32, bias: bool) -> Taps {
        let prefix = prefix.as_ref();
        let size = (1, columns.saturating_mul(taps));
        let weight = self.add(format!("{prefix}.weight"), TensorKind::Vector, size, 1.0);
        self.tensors[weight].taps = Some(taps);
        let bias = bias.then(|| self.bias(format!("{prefix}.bias"), columns));
        Taps { weight, bias, taps }
    }

    /// Adds `prefix.weight` `[width]` for a norm with a weight, and `prefix.bias` `[width]` for a layer norm with a bias.
    pub fn norm(&mut self, prefix: impl AsRef<str>, kind: NormKind, width: u32) -> Norm {
        let prefix = prefix.as_ref();
        let neutral = if matches!(kind, NormKind::Rms { plus_one: true, .. }) { 0.0 } else { 1.0 };
        let weighted = !matches!(kind, NormKind::Standard { .. });
        let weight =
            weighted.then(|| self.add(format!("{prefix}.weight"), TensorKind::Vector, (1, width), neutral));
        let biased = matches!(kind, NormKind::Layer { bias: true, .. });
        let bias = biased.then(|| self.bias(format!("{prefix}.bias"), width));
        Norm { kind, weight, bias, width }
    }
}

/// y = W x + b, where W `[rows, width]` is a whole stored matrix, or consecutive rows of a fused one.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// The stored matrix that contains the rows of W.
    pub weight: TensorId,
    /// The stored vector that contains the elements of b. It has as many elements as the stored matrix has rows.
    pub bias: Option<TensorId>,
    /// The first row of W in the stored matrix, and the first element of b in the stored vector.
    pub first_row: u32,
    /// Number of outputs.
    pub rows: u32,
    /// Number of inputs.
    pub width: u32,
}

impl Linear {
    /// Splits a fused layer into layers with the given numbers of rows, in order.
    pub fn split<const N: usize>(self, rows: [u32; N]) -> [Linear; N] {
        let mut first_row = self.first_row;
        rows.map(|rows| {
            let part = Linear { first_row, rows, ..self };
            first_row = first_row.saturating_add(rows);
            part
        })
    }
}

/// The kernel of a depthwise convolution.
#[derive(Clone, Copy, Debug)]
pub struct Taps {
    /// `[columns, taps]`: the factors of a token and its predecessors. The last tap belongs to the token itself.
    pub weight: TensorId,
    /// `[columns]`.
    pub bias: Option<TensorId>,
    /// The number of taps, which is the number of tokens that are summed over.
    pub taps: u32,
}

/// The kind of normalization, with its epsilon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NormKind {
    /// Layer norm (Ba et al. 2016): subtracts the mean, divides by the standard deviation, multiplies by w, adds b.
    Layer {
        /// Added to the variance.
        eps: f32,
        /// Whether it has a bias b.
        bias: bool,
    },
    /// Layer norm without w and b.
    Standard {
        /// Added to the variance.
        eps: f32,
    },
    /// RMS norm (Zhang and Sennrich 2019): divides by the root mean square, multiplies by w.
    Rms {
        /// Added to the mean square.
        eps: f32,
        /// Whether it multiplies by 1 + w instead, as Gemma does.
        plus_one: bool,
    },
}

impl NormKind {
    /// A layer norm with weight and bias.
    pub fn layer(eps: f32) -> NormKind {
        NormKind::Layer { eps, bias: true }
    }

    /// An RMS norm that multiplies by its weight.
    pub fn rms(eps: f32) -> NormKind {
        NormKind::Rms { eps, plus_one: false }
    }
}

/// A normalization with its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Norm {
    /// The kind of norm.
    pub kind: NormKind,
    /// Scale `[width]`; `None` means 1.
    pub weight: Option<TensorId>,
    /// Shift `[width]`.
    pub bias: Option<TensorId>,
    /// The number of elements that are normalized together.
    pub width: u32,
}
