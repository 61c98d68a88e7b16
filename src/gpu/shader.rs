//! Composes WGSL from the text of a kernel and the snippets that it names.
//!
//! There is one directive, on a separate line: `//#use name` is replaced by `shaders/lib/name.wgsl`, once per text; `//#use @slot`
//! is replaced by the snippet that the variant provides for that slot.

use std::collections::HashSet;

use super::{Limits, Variant};
use crate::dtype::Format;
use crate::error::{Result, err};

macro_rules! snippets {
    ($($name:literal),* $(,)?) => {
        /// The files of `shaders/lib/`, except those that read a storage format: name and text.
        const SNIPPETS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../shaders/lib/", $name, ".wgsl")))),*];
    };
}

snippets![
    "activation_gelu",
    "activation_gelu_sigmoid",
    "activation_gelu_tanh",
    "activation_none",
    "activation_relu",
    "activation_relu_squared",
    "activation_silu",
    "attention",
    "attention_scalar",
    "attention_vec4",
    "block_4x4",
    "block_8x8",
    "block_8x8_quad",
    "counter_matrix",
    "counter_packed",
    "fours_in_rows",
    "half",
    "iq4",
    "layout_panels",
    "layout_rows",
    "linear",
    "loads",
    "norm_add",
    "norm_copy",
    "norm_in_place",
    "number_f16",
    "number_f32",
    "operands_panels",
    "operands_panels_by_4",
    "operands_rows",
    "operands_scalars",
    "operands_stored",
    "operands_vec4s",
    "panels",
    "perturb",
    "quads",
    "rotations_by_shifts",
    "rotations_in_floats",
    "row_sum",
    "scales_6_bit",
    "softcap",
    "threads_as_given",
    "threads_by_lane",
    "threefry",
    "tile_16x16",
    "tile_1x16",
    "tile_4x4",
    "tile_8x8",
    "tile_matrix",
    "tile_quad",
    "tile_split",
    "tile_staged",
    "tile_subgroup",
    "vector",
    "workgroup_best",
    "workgroup_max",
    "workgroup_sum",
];

/// Every file of `shaders/lib/`: name and text.
pub fn snippets() -> impl Iterator<Item = (&'static str, &'static str)> {
    let storage = Format::on_device().filter_map(|format| Some(format.device.as_ref()?.snippet));
    SNIPPETS.iter().copied().chain(storage)
}

/// The snippet for the slot `rotations`, which the device fills and not the variant.
pub fn rotations(limits: &Limits) -> &'static str {
    // SwiftShader, whose subgroups have four threads, computes the shifts of a vector one component at a time.
    if limits.software && limits.subgroup == 4 { "rotations_in_floats" } else { "rotations_by_shifts" }
}

/// The complete WGSL text of a variant, for a device with these limits.
///
/// # Errors
/// `invalid-argument` naming a missing snippet or slot. This would be a bug, which is caught by the test that composes every variant.
pub fn compose(variant: &Variant, limits: &Limits) -> Result<String> {
    let mut text = String::new();
    for (name, value) in &variant.constants {
        text += &format!("const {name}: u32 = {value}u;\n");
    }
    append(&mut text, (variant, limits), variant.kernel.name, variant.kernel.source, &mut HashSet::new())?;
    // `enable` directives must come before all declarations.
    let (mut enabled, rest): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with("enable "));
    // Browsers require this line. naga does not need it and cannot parse it yet: https://github.com/gfx-rs/wgpu/issues/5555
    if cfg!(not(target_arch = "wasm32")) {
        enabled.retain(|line| *line != "enable subgroups;");
    }
    Ok([enabled, rest].concat().join("\n"))
}

fn append(
    text: &mut String,
    (variant, limits): (&Variant, &Limits),
    place: &str,
    source: &str,
    used: &mut HashSet<&'static str>,
) -> Result<()> {
    for line in source.lines() {
        let Some(wanted) = line.trim().strip_prefix("//#use ") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let wanted = match wanted.strip_prefix('@') {
            Some("rotations") => rotations(limits),
            Some(slot) => {
                let provider = variant.providers.iter().find(|(s, _)| *s == slot);
                provider.ok_or_else(|| err!(InvalidArgument, "{place}: nothing provides @{slot}"))?.1
            }
            None => wanted,
        };
        let (name, snippet) = snippets()
            .find(|(name, _)| *name == wanted)
            .ok_or_else(|| err!(InvalidArgument, "{place}: no snippet {wanted}"))?;
        if used.insert(name) {
            append(text, (variant, limits), name, snippet, used)?;
        }
    }
    Ok(())
}
