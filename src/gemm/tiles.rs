//! Tile configurations of the matmul, and the kernel variants for them.

use crate::dtype::{DType, Format};
use crate::gpu::{Limits, Variant};
use crate::kernel::activation::Activation;
use crate::kernel::{Entry, matmul, storage};

/// A tile configuration: a snippet `shaders/lib/tile_*.wgsl`, the size of its workgroup, and the layout of its operands.
#[derive(Debug)]
pub struct Tile {
    /// The name used in `--tiles` and recorded by runs.
    pub name: &'static str,
    snippet: &'static str,
    /// The snippet for the outputs of one thread, if the tile's own snippet does not define them.
    block: Option<&'static str>,
    constants: &'static [(&'static str, u32)],
    /// The snippet that reads operands from panels; `None` if the tile takes operands that are not packed.
    pub(super) panels: Option<&'static str>,
    /// What the tile requires of a device.
    pub needs: Needs,
    /// Rows and columns of the result that a workgroup computes.
    pub outputs: [u32; 2],
}

/// What a tile requires of a device, beyond the features that every WebGPU device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// f16 arithmetic. Products, and the sums of 16 products, are f16; these are accumulated in f32.
    ShaderF16,
    /// Subgroups of exactly this many threads that can exchange values.
    Subgroups(u32),
    /// Subgroups of any size: the four threads of a quad exchange values.
    Quads,
    /// Units that multiply 16 x 16 matrices, with f16 operands and f32 sums.
    MatrixUnits,
}

/// Every tile configuration.
pub const TILES: &[Tile] = &[
    Tile {
        name: "4x4",
        snippet: "tile_4x4",
        block: None,
        constants: &[("GROUP_X", 8), ("GROUP_Y", 8)],
        panels: None,
        needs: Needs::Nothing,
        outputs: [32, 32],
    },
    Tile {
        name: "8x8",
        snippet: "tile_8x8",
        block: None,
        constants: &[("GROUP_X", 8), ("GROUP_Y", 8)],
        panels: None,
        needs: Needs::Nothing,
        outputs: [64, 64],
    },
    Tile {
        name: "16x16-packed",
        snippet: "tile_16x16",
        block: None,
        constants: &[("GROUP_X", 4), ("GROUP_Y", 4)],
        panels: Some("operands_panels"),
        needs: Needs::Nothing,
        outputs: [64, 64],
    },
    Tile {
        name: "16x16-packed-by-4",
        snippet: "tile_16x16",
        block: None,
        constants: &[("GROUP_X", 4), ("GROUP_Y", 4)],
        panels: Some("operands_panels_by_4"),
        needs: Needs::Nothing,
        outputs: [64, 64],
    },
    Tile {
        name: "1x16",
        snippet: "tile_1x16",
        block: None,
        constants: &[("GROUP_X", 16), ("GROUP_Y", 1)],
        panels: None,
        needs: Needs::Nothing,
        outputs: [1, 256],
    },
    Tile {
        name: "split",
        snippet: "tile_split",
        block: None,
        constants: &[("GROUP_X", 64), ("GROUP_Y", 1)],
        panels: None,
        needs: Needs::Nothing,
        outputs: [4, 4],
    },
    Tile {
        name: "staged-32x32",
        snippet: "tile_staged",
        block: Some("block_4x4"),
        constants: &[("GROUP_X", 8), ("GROUP_Y", 8), ("STEP", 4)],
        panels: None,
        needs: Needs::Nothing,
        outputs: [32, 32],
    },
    Tile {
        name: "staged-64x64",
        snippet: "tile_staged",
        block: Some("block_4x4"),
        constants: &[("GROUP_X", 16), ("GROUP_Y", 16), ("STEP", 4)],
        panels: None,
        needs: Needs::Nothing,
        outputs: [64, 64],
    },
    Tile {
        name: "staged-64x64-by-8",
        snippet: "tile_staged",
        block: Some("block_8x8"),
        constants: &[("GROUP_X", 8), ("GROUP_Y", 8), ("STEP", 4)],
        panels: None,
        needs: Needs::Nothing,
        outputs: [64, 64],
    },
    Tile {
        name: "staged-64x64-f16",
        snippet: "tile_staged",
        block: Some("block_4x4"),
        constants: &[("GROUP_X", 16), ("GROUP_Y", 16), ("STEP", 4)],
        panels: None,
        needs: Needs::ShaderF16,
        outputs: [64, 64],
    },
    Tile {
        name: "matrix-64x64",
        snippet: "tile_matrix",
        block: None,
        constants: &[
            ("GROUP_X", 128),
            ("GROUP_Y", 1),
            ("STEP", 8),
            ("SUBGROUPS_DOWN", 2),
            ("SUBGROUPS_ACROSS", 2),
        ],
        panels: None,
        needs: Needs::MatrixUnits,
        outputs: [64, 64],
    },
    Tile {
        name: "matrix-128x64",
        snippet: "tile_matrix",
        block: None,
        constants: &[
            ("GROUP_X", 256),
            ("GROUP_Y", 1),
            ("STEP", 4),
            ("SUBGROUPS_DOWN", 4),
            ("SUBGROUPS_ACROSS", 2),
        ],
        panels: None,
        needs: Needs::MatrixUnits,
        outputs: [128, 64],
    },
    Tile {
        name: "subgroup-32x8",
        snippet: "tile_subgroup",
        block: None,
        constants: &[("GROUP_X", 8), ("GROUP_Y", 1)],
        panels: Some("operands_panels"),
        needs: Needs::Subgroups(8),
        outputs: [32, 64],
    },
    Tile {
        name: "quad-16x16",
        snippet: "tile_quad",
        block: None,
        constants: &[("GROUP_X", 4), ("GROUP_Y", 4)],
        panels: Some("operands_panels_by_4"),
        needs: Needs::Quads,
        outputs: [64, 64],
    },
    Tile {
        name: "quad-staged-64x64",
        snippet: "tile_staged",
        block: Some("block_8x8_quad"),
        constants: &[("GROUP_X", 8), ("GROUP_Y", 8), ("STEP", 4)],
        panels: None,
        needs: Needs::Quads,
        outputs: [64, 64],
    },
];

/// The fallback tile for a matmul that its chosen tile cannot compute: operands that cannot be packed, or a grid beyond the limit.
pub(super) const UNPACKED: &Tile = &TILES[1];

/// A tile with at most this many rows is for few rows, where each weight is read only once or twice: it reads quantized weights
/// directly. With more rows, it is faster to dequantize the weights first.
pub(super) const FEW_ROWS: u32 = 4;

impl Tile {
    /// Whether the tuner should try this tile. `half`: whether tiles may compute in f16. The packed tiles keep 256 sums per thread,
    /// which exceeds the registers of hardware GPUs, and a phone's driver may take very long to compile them.
    pub(super) fn suits(&self, limits: &Limits, half: bool) -> bool {
        self.runs(limits) && (half || !self.half()) && (self.panels.is_none() || limits.software)
    }

    /// Whether the device can run this tile.
    pub fn runs(&self, limits: &Limits) -> bool {
        match self.needs {
            Needs::Nothing => true,
            Needs::ShaderF16 => limits.shader_f16,
            Needs::Subgroups(lanes) => limits.lanes == lanes,
            Needs::Quads => limits.subgroups,
            Needs::MatrixUnits => limits.matrix_units,
        }
    }

    /// Whether the tile multiplies in f16.
    pub fn half(&self) -> bool {
        matches!(self.needs, Needs::ShaderF16 | Needs::MatrixUnits)
    }

    /// The snippet with the entry point.
    fn threads(&self) -> &'static str {
        match self.needs {
            Needs::Subgroups(_) | Needs::Quads => "threads_by_lane",
            Needs::Nothing | Needs::ShaderF16 | Needs::MatrixUnits => "threads_as_given",
        }
    }

    /// The matmul with this tile and operands. `activation` is applied to the sums before they are written.
    pub(super) fn variant(&self, operands: Operands, activation: Option<Activation>) -> Variant {
        let variant = Variant::from(&matmul::KERNEL).provide("operands", operands.snippet(self));
        let variant = variant.provide("tile", self.snippet).provide("threads", self.threads());
        let variant = variant.provide("number", if self.half() { "number_f16" } else { "number_f32" });
        let variant = self.block.iter().fold(variant, |v, block| v.provide("block", block));
        let variant = self.constants.iter().fold(variant, |v, (name, value)| v.constant(name, *value));
        let variant = match operands {
            Operands::Stored(dtype) => variant.provide("storage", storage::provider(dtype)),
            Operands::Panels | Operands::Vec4s | Operands::Scalars => variant,
        };
        variant.provide("activate", activation.map_or("activation_none", Activation::snippet))
    }
}

/// How the matmul reads its operands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operands {
    /// Both from panels.
    Panels,
    /// Both from rows of whole vec4s.
    Vec4s,
    /// Both from rows of any length.
    Scalars,
    /// The weights in their storage format.
    Stored(DType),
}

impl Operands {
    fn snippet(self, tile: &Tile) -> &'static str {
        match self {
            Operands::Panels => tile.panels.unwrap_or_default(),
            Operands::Vec4s => "operands_vec4s",
            Operands::Scalars => "operands_scalars",
            Operands::Stored(_) => "operands_stored",
        }
    }
}

/// What tests need to know about the matmul kernel, with the variants of every tile.
pub const ENTRY: Entry =
    Entry { variants, uniform_bytes: size_of::<matmul::Params>(), uniform_fields: matmul::FIELDS };

fn variants() -> Vec<Variant> {
    let of = |tile: &Tile| -> Vec<Variant> {
        let mut operands = match tile.panels {
            Some(_) => vec![Operands::Panels],
            None => vec![Operands::Vec4s, Operands::Scalars],
        };
        if tile.outputs[0] <= FEW_ROWS {
            let formats = Format::on_device().map(|format| format.dtype);
            operands.extend(formats.filter(|dtype| *dtype != DType::F32).map(Operands::Stored));
        }
        let activations = || std::iter::once(None).chain(Activation::ALL.map(Some));
        let each = |operands: Operands| activations().map(move |a| tile.variant(operands, a));
        operands.into_iter().flat_map(each).collect()
    };
    TILES.iter().flat_map(of).collect()
}

/// The index of the tile with this name.
pub(super) fn index(name: &str) -> Option<u8> {
    TILES.iter().position(|tile| tile.name == name).map(|at| at as u8)
}
