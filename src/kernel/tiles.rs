//! How a matmul can be cut, and which cut a class of matmuls takes: what the tuner chooses and a run records.

use crate::error::{Result, err};
use crate::gpu::{CLASSES, Limits, Variant};

/// A way to cut a matmul: a snippet `shaders/lib/tile_*.wgsl`, its workgroup, and the layout of its operands.
#[derive(Debug)]
pub struct Tile {
    /// What choices call it.
    pub name: &'static str,
    snippet: &'static str,
    constants: &'static [(&'static str, u32)],
    /// How operands are read that are packed in panels first; none: they are not.
    pub(super) panels: Option<&'static str>,
    /// Whether it computes in f16: products and sums of 16 of them, which f32 sums add up.
    pub half: bool,
    /// Threads of the subgroups that it is for; 0: of any.
    pub lanes: u32,
    /// Rows and columns that a workgroup makes.
    pub outputs: [u32; 2],
}

/// Every cut. Which index has which never changes: the first is what a recording takes that was told nothing.
pub const TILES: &[Tile] = &[
    Tile {
        name: "4x4",
        snippet: "tile_4x4",
        constants: &[("GROUP_X", 8), ("GROUP_Y", 8)],
        panels: None,
        half: false,
        lanes: 0,
        outputs: [32, 32],
    },
    Tile {
        name: "8x8",
        snippet: "tile_8x8",
        constants: &[("GROUP_X", 8), ("GROUP_Y", 8)],
        panels: None,
        half: false,
        lanes: 0,
        outputs: [64, 64],
    },
    Tile {
        name: "16x16-packed",
        snippet: "tile_16x16",
        constants: &[("GROUP_X", 4), ("GROUP_Y", 4)],
        panels: Some("operands_panels"),
        half: false,
        lanes: 0,
        outputs: [64, 64],
    },
    Tile {
        name: "16x16-packed-by-4",
        snippet: "tile_16x16",
        constants: &[("GROUP_X", 4), ("GROUP_Y", 4)],
        panels: Some("operands_panels_by_4"),
        half: false,
        lanes: 0,
        outputs: [64, 64],
    },
    Tile {
        name: "1x16",
        snippet: "tile_1x16",
        constants: &[("GROUP_X", 16), ("GROUP_Y", 1)],
        panels: None,
        half: false,
        lanes: 0,
        outputs: [1, 256],
    },
    Tile {
        name: "split",
        snippet: "tile_split",
        constants: &[("GROUP_X", 64), ("GROUP_Y", 1)],
        panels: None,
        half: false,
        lanes: 0,
        outputs: [4, 4],
    },
    Tile {
        name: "shared-64x64",
        snippet: "tile_shared",
        constants: &[("GROUP_X", 16), ("GROUP_Y", 16), ("TILE_ROWS", 64), ("TILE_COLUMNS", 64)],
        panels: None,
        half: false,
        lanes: 0,
        outputs: [64, 64],
    },
    Tile {
        name: "shared-128x64",
        snippet: "tile_shared",
        constants: &[("GROUP_X", 16), ("GROUP_Y", 16), ("TILE_ROWS", 128), ("TILE_COLUMNS", 64)],
        panels: None,
        half: false,
        lanes: 0,
        outputs: [128, 64],
    },
    Tile {
        name: "shared-64x64-f16",
        snippet: "tile_shared",
        constants: &[("GROUP_X", 16), ("GROUP_Y", 16), ("TILE_ROWS", 64), ("TILE_COLUMNS", 64)],
        panels: None,
        half: true,
        lanes: 0,
        outputs: [64, 64],
    },
    Tile {
        name: "shared-128x64-f16",
        snippet: "tile_shared",
        constants: &[("GROUP_X", 16), ("GROUP_Y", 16), ("TILE_ROWS", 128), ("TILE_COLUMNS", 64)],
        panels: None,
        half: true,
        lanes: 0,
        outputs: [128, 64],
    },
    Tile {
        name: "subgroup-32x8",
        snippet: "tile_subgroup",
        constants: &[("GROUP_X", 8), ("GROUP_Y", 1)],
        panels: Some("operands_panels"),
        half: false,
        lanes: 8,
        outputs: [32, 64],
    },
];

impl Tile {
    /// Whether it is worth a try, also in f16 where `half`. 256 sums a thread are more than the registers of hardware hold, and a
    /// phone's driver may take very long over them.
    pub(super) fn suits(&self, limits: &Limits, half: bool) -> bool {
        self.runs(limits) && (half || !self.half) && (self.panels.is_none() || limits.software)
    }

    /// Whether the device can run it.
    pub fn runs(&self, limits: &Limits) -> bool {
        (!self.half || limits.shader_f16) && (self.lanes == 0 || self.lanes == limits.lanes)
    }

    /// The matmul cut this way, over operands of this layout.
    pub(super) fn variant(&self, operands: &'static str) -> Variant {
        let variant = Variant::from(&super::matmul::KERNEL);
        let variant = variant.provide("operands", operands).provide("tile", self.snippet);
        let variant = variant.provide("number", if self.half { "number_f16" } else { "number_f32" });
        self.constants.iter().fold(variant, |v, (name, value)| v.constant(name, *value))
    }
}

/// Rows and columns up to which a matmul belongs to a class; the last of each has no end.
const ROWS: [u32; 2] = [4, 32];
const COLUMNS: [u32; 1] = [32];

/// The class of a matmul of so many rows and columns.
pub fn class(rows: u32, columns: u32) -> usize {
    let of = |ends: &[u32], n: u32| ends.iter().filter(|end| n > **end).count();
    of(&ROWS, rows) * (COLUMNS.len() + 1) + of(&COLUMNS, columns)
}

/// A matmul that stands for its class when candidates are timed: rows, columns, depth.
pub fn example(class: usize) -> [u32; 3] {
    let columns = COLUMNS.len() + 1;
    [[1, 32, 256][class / columns], [8, 512][class % columns], 512]
}

/// Which cut each class of matmuls takes, and attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// By index in [`TILES`].
    pub tiles: [u8; CLASSES],
    /// Of many tokens: in registers, or by way of workgroup memory.
    pub attention_in_registers: bool,
}

/// What a choice is called of which attention in registers is a part.
const ATTENTION_IN_REGISTERS: &str = "attention-in-registers";

impl Choice {
    /// One that does well enough untuned. A software GPU runs a thread's loop as it is written and pays for each load: the widest
    /// tile is its best, and one whose vectors are short has no registers to spare for sums. Any other shares loads through
    /// workgroup memory.
    pub fn untuned(limits: &Limits) -> Choice {
        let few = if limits.software { "1x16" } else { "split" };
        let (some, many) = match (limits.subgroup, limits.lanes) {
            _ if !limits.software => ("8x8", "shared-64x64"),
            (_, 8) => ("subgroup-32x8", "subgroup-32x8"),
            (0..=4, _) => ("8x8", "16x16-packed-by-4"),
            _ => ("8x8", "16x16-packed"),
        };
        let tiles = [few, few, "4x4", some, "4x4", many].map(|name| index(name).unwrap_or_default());
        Choice { tiles, attention_in_registers: limits.software }
    }

    /// The same, where the device can run it.
    ///
    /// # Errors
    /// `limit-exceeded` naming the cut.
    pub fn check(self, limits: &Limits) -> Result<Choice> {
        let tiles = self.tiles.iter().filter_map(|tile| TILES.get(usize::from(*tile)));
        match tiles.clone().find(|tile| !tile.runs(limits)) {
            Some(Tile { name, half: true, .. }) => {
                Err(err!(LimitExceeded, "tile {name}: this GPU has no f16 arithmetic (shader-f16)"))
            }
            Some(Tile { name, lanes, .. }) => {
                Err(err!(LimitExceeded, "tile {name}: here this GPU offers no subgroups of {lanes} threads"))
            }
            None => Ok(self),
        }
    }

    /// The same for a run that goes on, maybe on another device than it began on: cuts for subgroups that this one lacks are its
    /// untuned ones. They sum in another order, as another device does anyway.
    ///
    /// # Errors
    /// `limit-exceeded` naming a cut in f16 that the device cannot run: the run would go on in another precision.
    pub fn moved_to(mut self, limits: &Limits) -> Result<Choice> {
        for (tile, untuned) in self.tiles.iter_mut().zip(Choice::untuned(limits).tiles) {
            if TILES.get(usize::from(*tile)).is_some_and(|tile| !tile.half && !tile.runs(limits)) {
                *tile = untuned;
            }
        }
        self.check(limits)
    }

    /// Whether any class's operands are packed: such a run needs a scratch for panels.
    pub fn packs(&self) -> bool {
        packed(&self.tiles).is_some()
    }
}

/// The first of these cuts whose operands are packed.
pub(super) fn packed(tiles: &[u8; CLASSES]) -> Option<&'static Tile> {
    tiles.iter().filter_map(|tile| TILES.get(usize::from(*tile))).find(|tile| tile.panels.is_some())
}

fn index(name: &str) -> Option<u8> {
    TILES.iter().position(|tile| tile.name == name).map(|at| at as u8)
}

/// The names of the classes' tiles, with commas between, and of attention's cut where it is in registers.
impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tiles = self.tiles.iter().map(|tile| TILES[usize::from(*tile)].name);
        let names: Vec<&str> =
            tiles.chain(self.attention_in_registers.then_some(ATTENTION_IN_REGISTERS)).collect();
        f.write_str(&names.join(","))
    }
}

impl std::str::FromStr for Choice {
    type Err = crate::error::Error;

    fn from_str(text: &str) -> Result<Choice> {
        let mut names: Vec<&str> = text.split(',').collect();
        let attention_in_registers = names.last() == Some(&ATTENTION_IN_REGISTERS);
        if attention_in_registers {
            names.pop();
        }
        let tiles: Option<Vec<u8>> = names.into_iter().map(index).collect();
        let tiles = tiles.and_then(|tiles| <[u8; CLASSES]>::try_from(tiles).ok());
        tiles.map(|tiles| Choice { tiles, attention_in_registers }).ok_or_else(|| {
            let names: Vec<&str> = TILES.iter().map(|tile| tile.name).collect();
            let names = names.join(", ");
            err!(
                InvalidArgument,
                "tiles '{text}': expected {CLASSES} of {names}; then {ATTENTION_IN_REGISTERS} or nothing"
            )
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_they_are_written() {
        let untuned = [(true, 4), (true, 8), (false, 32)].map(|(software, subgroup)| {
            Choice::untuned(&Limits { software, subgroup, ..Limits::WEBGPU_DEFAULT })
        });
        for choice in
            untuned.into_iter().chain([Choice { tiles: [0; CLASSES], attention_in_registers: false }])
        {
            assert_eq!(choice.to_string().parse::<Choice>().unwrap(), choice);
        }
        for wrong in ["", "4x4", "4x4,4x4,4x4,4x4,4x4,5x5"] {
            assert!(wrong.parse::<Choice>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn cuts_in_f16_are_for_devices_that_have_it() {
        let choice: Choice = "split,split,4x4,8x8,4x4,shared-64x64-f16".parse().unwrap();
        let without = Limits::WEBGPU_DEFAULT;
        let refused = choice.check(&without).unwrap_err();
        assert_eq!(refused.code(), crate::error::Code::LimitExceeded);
        assert!(refused.to_string().contains("shared-64x64-f16"), "{refused}");
        assert!(choice.check(&Limits { shader_f16: true, ..without }).is_ok());
    }

    #[test]
    fn a_run_moves_to_a_device_without_its_subgroups() {
        let llvmpipe = Limits { software: true, subgroup: 8, lanes: 8, ..Limits::WEBGPU_DEFAULT };
        let begun = Choice::untuned(&llvmpipe);
        assert!(begun.to_string().contains("subgroup-32x8"), "{begun}");
        assert_eq!(begun.moved_to(&llvmpipe).unwrap(), begun);
        for other in
            [Limits::WEBGPU_DEFAULT, Limits { lanes: 0, ..llvmpipe }, Limits { lanes: 32, ..llvmpipe }]
        {
            let refused = begun.check(&other).unwrap_err().to_string();
            assert!(refused.contains("subgroups of 8"), "{refused}");
            let moved = begun.moved_to(&other).unwrap();
            assert!(moved.check(&other).is_ok(), "{moved}");
            assert_eq!(moved.tiles[5], Choice::untuned(&other).tiles[5]);
        }
        let half: Choice = "split,split,4x4,8x8,4x4,shared-64x64-f16".parse().unwrap();
        assert!(half.moved_to(&Limits::WEBGPU_DEFAULT).is_err());
    }

    #[test]
    fn every_class_has_an_example_of_its_own() {
        for at in 0..CLASSES {
            let [rows, columns, _] = example(at);
            assert_eq!(class(rows, columns), at);
        }
    }
}
