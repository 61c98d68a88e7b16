//! The tile configuration that each shape class of matmuls uses, which the tuner chooses, `--tiles` names, and a run records.

use super::tiles::{self, Needs, TILES, Tile, UNPACKED};
use crate::error::{Result, err};
use crate::gpu::{Limits, MAX_WORKGROUPS};

/// Number of shape classes of matmuls, by rows and columns. Each has its own tile configuration.
pub const CLASSES: usize = 6;

/// The maximum rows and columns of a matmul of each class. The last class in each dimension has no upper bound.
const ROWS: [u32; 2] = [4, 32];
const COLUMNS: [u32; 1] = [32];

/// The class of a matmul whose result has `rows` rows and `columns` columns.
pub(super) fn class(rows: u32, columns: u32) -> usize {
    let of = |ends: &[u32], n: u32| ends.iter().filter(|end| n > **end).count();
    of(&ROWS, rows) * (COLUMNS.len() + 1) + of(&COLUMNS, columns)
}

/// The matmul that represents a class when the tiles are timed: rows, columns, depth. A hardware GPU, which computes many outputs
/// at once, needs a larger one.
pub(super) fn example(class: usize, software: bool) -> [u32; 3] {
    let columns = COLUMNS.len() + 1;
    if software {
        [[1, 32, 256][class / columns], [8, 512][class % columns], 512]
    } else {
        [[1, 32, 512][class / columns], [8, 1024][class % columns], 1024]
    }
}

/// The choice among kernels that compute the same result: the tile configuration of each class of matmuls, and the attention
/// variant. In text form, it is the argument of `--tiles`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// For each class, an index into [`TILES`].
    pub tiles: [u8; CLASSES],
    /// Whether attention over many tokens keeps its output in registers, instead of in workgroup memory.
    pub attention_in_registers: bool,
}

/// The name of attention in registers in the text form of a choice.
const ATTENTION_IN_REGISTERS: &str = "attention-in-registers";

impl Choice {
    /// A choice that is good enough without tuning. A software GPU executes a thread's loop as written and pays for each load, so
    /// the widest tile is usually the fastest; with short vectors, it has too few registers for the sums of that tile. A hardware
    /// GPU shares loads through workgroup memory and, if there are few outputs, splits the depth among its threads.
    pub fn untuned(limits: &Limits) -> Choice {
        let (few, narrow) = if limits.software { ("1x16", "4x4") } else { ("split", "split") };
        let (some, many) = match (limits.subgroup, limits.lanes) {
            _ if !limits.software => ("split", "staged-64x64"),
            (_, 8) => ("subgroup-32x8", "subgroup-32x8"),
            (0..=4, _) if limits.subgroups => ("8x8", "quad-16x16"),
            (0..=4, _) => ("8x8", "16x16-packed-by-4"),
            _ => ("8x8", "16x16-packed"),
        };
        let tiles = [few, few, narrow, some, narrow, many].map(|name| tiles::index(name).unwrap_or_default());
        Choice { tiles, attention_in_registers: limits.software }
    }

    /// Returns this choice if the device can run it.
    ///
    /// # Errors
    /// `limit-exceeded` naming a tile that the device cannot run.
    pub fn check(self, limits: &Limits) -> Result<Choice> {
        let tiles = self.tiles.iter().filter_map(|tile| TILES.get(usize::from(*tile)));
        match tiles.clone().find(|tile| !tile.runs(limits)) {
            None => Ok(self),
            Some(Tile { name, needs, .. }) => {
                let lacks = match needs {
                    Needs::ShaderF16 => "has no f16 arithmetic (shader-f16)".to_owned(),
                    Needs::Subgroups(lanes) => format!("offers no subgroups of {lanes} threads here"),
                    Needs::Quads => "offers no subgroups here".to_owned(),
                    Needs::MatrixUnits => "offers no products of 16 x 16 matrices in f16 here".to_owned(),
                    Needs::Nothing => "cannot run it".to_owned(),
                };
                Err(err!(LimitExceeded, "tile {name}: this GPU {lacks}"))
            }
        }
    }

    /// This choice for a run that is resumed, possibly on another device. Tiles that need subgroups that this device lacks are
    /// replaced by its untuned tiles. They sum in another order, which differs between devices anyway.
    ///
    /// # Errors
    /// `limit-exceeded` naming an f16 tile that the device cannot run, since the run would continue in another precision.
    pub fn moved_to(mut self, limits: &Limits) -> Result<Choice> {
        for (tile, untuned) in self.tiles.iter_mut().zip(Choice::untuned(limits).tiles) {
            if TILES.get(usize::from(*tile)).is_some_and(|tile| !tile.half() && !tile.runs(limits)) {
                *tile = untuned;
            }
        }
        self.check(limits)
    }

    /// Whether the tile of any class takes packed operands, so that the run needs a scratch for panels.
    pub fn packs(&self) -> bool {
        self.packed().is_some()
    }

    /// The first tile, in order of the classes, that takes packed operands.
    pub(super) fn packed(&self) -> Option<&'static Tile> {
        self.tiles.iter().filter_map(|tile| TILES.get(usize::from(*tile))).find(|tile| tile.panels.is_some())
    }

    /// The tile for a matmul with `rows` rows and `columns` columns.
    pub fn tile(&self, rows: u32, columns: u32) -> &'static Tile {
        let chosen = TILES.get(usize::from(self.tiles[class(rows, columns)]));
        chosen
            .filter(|tile| columns.div_ceil(tile.outputs[1]).max(rows) <= MAX_WORKGROUPS)
            .unwrap_or(UNPACKED)
    }
}

/// The tile names of all classes, separated by commas, followed by the name of attention in registers if it is chosen.
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
        let tiles: Option<Vec<u8>> = names.into_iter().map(tiles::index).collect();
        let tiles = tiles.and_then(|tiles| <[u8; CLASSES]>::try_from(tiles).ok());
        tiles.map(|tiles| Choice { tiles, attention_in_registers }).ok_or_else(|| {
            let names: Vec<&str> = TILES.iter().map(|tile| tile.name).collect();
            let names = names.join(", ");
            err!(
                InvalidArgument,
                "tiles '{text}': expected {CLASSES} names, each one of {names}, and optionally {ATTENTION_IN_REGISTERS} at the end"
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
    fn tiles_in_f16_are_for_devices_that_have_it() {
        let choice: Choice = "split,split,4x4,8x8,4x4,staged-64x64-f16".parse().unwrap();
        let without = Limits::WEBGPU_DEFAULT;
        let refused = choice.check(&without).unwrap_err();
        assert_eq!(refused.code(), crate::error::Code::LimitExceeded);
        assert!(refused.to_string().contains("staged-64x64-f16"), "{refused}");
        assert!(choice.check(&Limits { shader_f16: true, ..without }).is_ok());
    }

    #[test]
    fn a_run_moves_to_a_device_without_its_subgroups() {
        let llvmpipe =
            Limits { software: true, subgroup: 8, subgroups: true, lanes: 8, ..Limits::WEBGPU_DEFAULT };
        let swiftshader = Limits { subgroup: 4, lanes: 4, ..llvmpipe };
        let without = |limits| Limits { subgroups: false, lanes: 0, ..limits };
        for (begun_on, tile, lacks, others) in [
            (
                llvmpipe,
                "subgroup-32x8",
                "subgroups of 8",
                [without(llvmpipe), Limits { lanes: 32, ..llvmpipe }],
            ),
            (swiftshader, "quad-16x16", "no subgroups", [without(swiftshader), Limits::WEBGPU_DEFAULT]),
        ] {
            let begun = Choice::untuned(&begun_on);
            assert!(begun.to_string().contains(tile), "{begun}");
            assert_eq!(begun.moved_to(&begun_on).unwrap(), begun);
            for other in others {
                let refused = begun.check(&other).unwrap_err().to_string();
                assert!(refused.contains(lacks), "{refused}");
                let moved = begun.moved_to(&other).unwrap();
                assert!(moved.check(&other).is_ok(), "{moved}");
                assert_eq!(moved.tiles[5], Choice::untuned(&other).tiles[5]);
            }
        }
        let half: Choice = "split,split,4x4,8x8,4x4,staged-64x64-f16".parse().unwrap();
        assert!(half.moved_to(&Limits::WEBGPU_DEFAULT).is_err());
    }

    #[test]
    fn every_class_has_an_example_of_its_own() {
        for at in 0..CLASSES {
            for software in [true, false] {
                let [rows, columns, _] = example(at, software);
                assert_eq!(class(rows, columns), at);
            }
        }
    }
}
