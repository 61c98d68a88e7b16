//! The table of storage formats.

use std::ops::Range;

use super::{decode, encode};

/// The identifier of a [`Format`]. All formats are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(non_camel_case_types, reason = "ggml's spelling")]
pub enum DType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper 16 bits of a binary32.
    BF16,
    /// Blocks of 32: f16 `d`, then 32 x i8 `q`. A value is `q * d`.
    Q8_0,
    /// Blocks of 32: f16 `d`, then 16 bytes. Byte `j` holds elements `j` (low nibble) and `j + 16` (high nibble). A value is
    /// `(q - 8) * d`.
    Q4_0,
    /// Blocks of 32: f16 `d`, f16 `m`, then 16 bytes as in [`DType::Q4_0`]. A value is `q * d + m`.
    Q4_1,
    /// Blocks of 256: 128 bytes of low nibbles, 64 bytes of 2 high bits each, 16 x i8 `s`, f16 `d`. A value is
    /// `d * s * (q - 32)` with one `s` for 16 elements.
    Q6_K,
    /// Blocks of 256: f16 `d`, f16 `m`, 12 bytes of 8 x 6-bit `s` and 8 x 6-bit `t`, then 128 bytes of nibbles `q`. A value is
    /// `d * s * q - m * t` with one `s` and one `t` for 32 elements.
    Q4_K,
    /// Blocks of 32: f16 `d`, u32 of fifth bits, then 16 bytes of nibbles as in [`DType::Q4_0`]. A value is `(q - 16) * d`.
    Q5_0,
    /// Blocks of 32: f16 `d`, f16 `m`, then as in [`DType::Q5_0`]. A value is `q * d + m`.
    Q5_1,
    /// Blocks of 256: as [`DType::Q4_K`], with 32 bytes of fifth bits before the nibbles.
    Q5_K,
    /// Blocks of 32 in the layout of [`DType::Q4_0`]. A value is `K[q] * d`, with a table `K` of 16 integers that are denser near 0.
    IQ4_NL,
    /// Blocks of 256: f16 `d`, 8 x 6-bit `s` (u16 of 2 high bits each, 4 bytes of nibbles), then 128 bytes of nibbles `q`. A value is
    /// `d * (s - 32) * K[q]` with one `s` for 32 elements and the table of [`DType::IQ4_NL`].
    IQ4_XS,
    /// Blocks of 256: 32 bytes of third bits, 64 bytes of 2 low bits each, 12 bytes of 16 x 6-bit `s`, f16 `d`. A value is
    /// `d * (s - 32) * (q - 4)` with one `s` for 16 elements.
    Q3_K,
    /// Blocks of 256: 16 bytes of 4-bit `s` and `t`, 64 bytes of 2-bit `q`, f16 `d`, f16 `m`. A value is `d * s * q - m * t` with
    /// one `s` and one `t` for 16 elements.
    Q2_K,
}

/// Decodes as many whole blocks as fit in both slices.
pub type Decode = fn(&[u8], &mut [f32]);

/// Appends whole blocks of finite values to the bytes.
pub type Encode = fn(&[f32], &mut Vec<u8>);

/// A storage format of weights.
#[derive(Debug)]
pub struct Format {
    /// The format's identifier.
    pub dtype: DType,
    /// The format's name in safetensors and ggml.
    pub name: &'static str,
    /// The format's names in the options of the command line and the package, the preferred one first. Empty: no option selects it.
    pub options: &'static [&'static str],
    /// The format's number in `ggml_type`.
    pub ggml_type: u32,
    /// Elements per block.
    pub block_len: usize,
    /// Bytes per block.
    pub block_bytes: usize,
    /// The decoder.
    pub decode: Decode,
    /// The encoder; `None` if the format can only be read.
    pub encode: Option<Encode>,
    /// Whether weights can be updated in this format. Kernels can also write such a format.
    pub trainable: bool,
    /// The layout in device memory; `None` if no device stores the format.
    pub device: Option<Device>,
}

/// The layout of a format in device memory, which is read in 32-bit words.
///
/// A *group* is the smallest number of blocks that fills whole words. `order` lists byte ranges of a block. The device stores the
/// first range of each block of the group, then the second range of each block, and so on.
#[derive(Debug)]
pub struct Device {
    /// The snippet of `shaders/lib/` that reads the format: its name and text.
    pub snippet: (&'static str, &'static str),
    /// Blocks per group.
    pub group: usize,
    /// The byte ranges of a block in the device's order. Empty: blocks are stored as in files.
    pub order: &'static [Range<usize>],
}

macro_rules! snippet {
    ($name:literal) => {
        ($name, include_str!(concat!("../../shaders/lib/", $name, ".wgsl")))
    };
}

impl Device {
    /// f32, the type that the shaders compute in.
    pub const F32: Device = Device { snippet: snippet!("storage_f32"), group: 4, order: &[] };
}

impl Format {
    /// Every format, in the order of [`DType`].
    pub const ALL: &'static [Format] = &[
        Format {
            dtype: DType::F32,
            name: "F32",
            options: &["f32"],
            ggml_type: 0,
            block_len: 1,
            block_bytes: 4,
            decode: decode::f32,
            encode: Some(encode::f32),
            trainable: true,
            device: Some(Device::F32),
        },
        Format {
            dtype: DType::F16,
            name: "F16",
            options: &["f16"],
            ggml_type: 1,
            block_len: 1,
            block_bytes: 2,
            decode: decode::f16,
            encode: Some(encode::f16),
            trainable: true,
            device: Some(Device { snippet: snippet!("storage_f16"), group: 4, order: &[] }),
        },
        Format {
            dtype: DType::BF16,
            name: "BF16",
            options: &[],
            ggml_type: 30,
            block_len: 1,
            block_bytes: 2,
            decode: decode::bf16,
            encode: Some(encode::bf16),
            trainable: false,
            device: None,
        },
        Format {
            dtype: DType::Q8_0,
            name: "Q8_0",
            options: &["q8", "q8_0"],
            ggml_type: 8,
            block_len: 32,
            block_bytes: 34,
            decode: decode::q8_0,
            encode: Some(encode::q8_0),
            trainable: false,
            device: Some(Device { snippet: snippet!("storage_q8_0"), group: 2, order: &[2..34, 0..2] }),
        },
        Format {
            dtype: DType::Q4_0,
            name: "Q4_0",
            options: &["q4", "q4_0"],
            ggml_type: 2,
            block_len: 32,
            block_bytes: 18,
            decode: decode::q4_0,
            encode: Some(encode::q4_0),
            trainable: false,
            device: Some(Device { snippet: snippet!("storage_q4_0"), group: 2, order: &[2..18, 0..2] }),
        },
        Format {
            dtype: DType::Q4_1,
            name: "Q4_1",
            options: &["q4_1"],
            ggml_type: 3,
            block_len: 32,
            block_bytes: 20,
            decode: decode::q4_1,
            encode: Some(encode::q4_1),
            trainable: false,
            device: Some(Device { snippet: snippet!("storage_q4_1"), group: 1, order: &[4..20, 0..4] }),
        },
        Format {
            dtype: DType::Q6_K,
            name: "Q6_K",
            options: &["q6_k"],
            ggml_type: 14,
            block_len: 256,
            block_bytes: 210,
            decode: decode::q6_k,
            encode: None,
            trainable: false,
            device: Some(Device {
                snippet: snippet!("storage_q6_k"),
                group: 2,
                order: &[0..128, 128..192, 192..208, 208..210],
            }),
        },
        Format {
            dtype: DType::Q4_K,
            name: "Q4_K",
            options: &["q4_k"],
            ggml_type: 12,
            block_len: 256,
            block_bytes: 144,
            decode: decode::q4_k,
            encode: None,
            trainable: false,
            device: Some(Device { snippet: snippet!("storage_q4_k"), group: 1, order: &[] }),
        },
        Format {
            dtype: DType::Q5_0,
            name: "Q5_0",
            options: &["q5_0"],
            ggml_type: 6,
            block_len: 32,
            block_bytes: 22,
            decode: decode::q5_0,
            encode: None,
            trainable: false,
            device: Some(Device { snippet: snippet!("storage_q5_0"), group: 2, order: &[6..22, 2..6, 0..2] }),
        },
        Format {
            dtype: DType::Q5_1,
            name: "Q5_1",
            options: &["q5_1"],
            ggml_type: 7,
            block_len: 32,
            block_bytes: 24,
            decode: decode::q5_1,
            encode: None,
            trainable: false,
            device: Some(Device { snippet: snippet!("storage_q5_1"), group: 1, order: &[] }),
        },
        Format {
            dtype: DType::Q5_K,
            name: "Q5_K",
            options: &["q5_k"],
            ggml_type: 13,
            block_len: 256,
            block_bytes: 176,
            decode: decode::q5_k,
            encode: None,
            trainable: false,
            device: Some(Device { snippet: snippet!("storage_q5_k"), group: 1, order: &[] }),
        },
        Format {
            dtype: DType::IQ4_NL,
            name: "IQ4_NL",
            options: &["iq4_nl"],
            ggml_type: 20,
            block_len: 32,
            block_bytes: 18,
            decode: decode::iq4_nl,
            encode: None,
            trainable: false,
            device: Some(Device { snippet: snippet!("storage_iq4_nl"), group: 2, order: &[2..18, 0..2] }),
        },
        Format {
            dtype: DType::IQ4_XS,
            name: "IQ4_XS",
            options: &["iq4_xs"],
            ggml_type: 23,
            block_len: 256,
            block_bytes: 136,
            decode: decode::iq4_xs,
            encode: None,
            trainable: false,
            device: Some(Device { snippet: snippet!("storage_iq4_xs"), group: 1, order: &[] }),
        },
        Format {
            dtype: DType::Q3_K,
            name: "Q3_K",
            options: &["q3_k"],
            ggml_type: 11,
            block_len: 256,
            block_bytes: 110,
            decode: decode::q3_k,
            encode: None,
            trainable: false,
            device: Some(Device {
                snippet: snippet!("storage_q3_k"),
                group: 2,
                order: &[0..32, 32..96, 96..108, 108..110],
            }),
        },
        Format {
            dtype: DType::Q2_K,
            name: "Q2_K",
            options: &["q2_k"],
            ggml_type: 10,
            block_len: 256,
            block_bytes: 84,
            decode: decode::q2_k,
            encode: None,
            trainable: false,
            device: Some(Device { snippet: snippet!("storage_q2_k"), group: 1, order: &[] }),
        },
    ];

    /// The formats that a device can store.
    pub fn on_device() -> impl Iterator<Item = &'static Format> {
        Format::ALL.iter().filter(|format| format.device.is_some())
    }

    /// The formats that weights can be updated in.
    pub fn trainable() -> impl Iterator<Item = &'static Format> {
        Format::ALL.iter().filter(|format| format.trainable)
    }

    /// The preferred names of the formats that options can select.
    pub fn options() -> impl Iterator<Item = &'static str> {
        Format::ALL.iter().filter_map(|format| format.options.first().copied())
    }
}
