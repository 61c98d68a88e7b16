//! Every kernel composes and validates without a GPU, and its uniform matches what the wrapper writes.

#![cfg(not(target_arch = "wasm32"))]
// A test fails by panicking.

use std::collections::{BTreeSet, HashSet};

use naga::valid::{Capabilities, ValidationFlags, Validator};
use pocketllm::gemm::tiles;
use pocketllm::gpu::{Limits, STORAGE_BUFFERS, Variant, WORKGROUP_BYTES, WORKGROUP_THREADS, shader};
use pocketllm::kernel::{ALL, Entry};

/// A validator for a text that needs nothing beyond WebGPU without optional features, except for the features that the text itself uses.
fn validator(text: &str) -> Validator {
    let matrix = text.contains("enable wgpu_cooperative_matrix;");
    let half = text.contains("enable f16;");
    let subgroups = text.contains("subgroup_invocation_id");
    let mut capabilities = Capabilities::empty();
    capabilities.set(Capabilities::SHADER_FLOAT16, half);
    capabilities.set(Capabilities::SUBGROUP, subgroups);
    capabilities.set(Capabilities::COOPERATIVE_MATRIX, matrix);
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    if subgroups {
        validator.subgroup_stages(naga::valid::ShaderStages::COMPUTE);
        use naga::valid::SubgroupOperationSet as Operations;
        validator.subgroup_operations(
            Operations::BALLOT | Operations::ARITHMETIC | Operations::QUAD_FRAGMENT_COMPUTE,
        );
    }
    validator
}

/// WebGPU's default limits, and those of a software GPU whose rotations are composed without shifts.
const LIMITS: [Limits; 2] =
    [Limits::WEBGPU_DEFAULT, Limits { software: true, subgroup: 4, ..Limits::WEBGPU_DEFAULT }];

fn module(variant: &Variant, limits: &Limits) -> naga::Module {
    let key = variant.key();
    let text = shader::compose(variant, limits).unwrap_or_else(|e| panic!("{key}: {e}"));
    let module = naga::front::wgsl::parse_str(&text)
        .unwrap_or_else(|e| panic!("{key}: {}", e.emit_to_string_with_path(&text, &key)));
    validator(&text).validate(&module).unwrap_or_else(|e| panic!("{key}: {}", e.emit_to_string(&text)));
    module
}

fn all() -> impl Iterator<Item = (&'static Entry, Variant)> {
    ALL.iter()
        .chain([&tiles::ENTRY])
        .flat_map(|entry| (entry.variants)().into_iter().map(move |variant| (entry, variant)))
}

#[test]
fn every_variant_is_valid_within_the_limits() {
    for ((_, variant), limits) in all().flat_map(|entry| LIMITS.map(|limits| (entry.clone(), limits))) {
        let (module, key) = (module(&variant, &limits), variant.key());
        let entry = module.entry_points.iter().find(|e| e.name == "main").expect("an entry point main");
        assert!(entry.workgroup_size.iter().product::<u32>() <= WORKGROUP_THREADS, "{key}: invocations");
        let bytes: u32 = module
            .global_variables
            .iter()
            .filter(|(_, v)| v.space == naga::AddressSpace::WorkGroup)
            .map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx()))
            .sum();
        assert!(bytes <= WORKGROUP_BYTES, "{key}: {bytes} bytes of workgroup memory");
    }
}

#[test]
fn bindings_are_numbered_without_gaps_and_all_used() {
    for (_, variant) in all() {
        let (module, key) = (module(&variant, &LIMITS[0]), variant.key());
        let info = validator(&shader::compose(&variant, &LIMITS[0]).expect("composed"))
            .validate(&module)
            .expect("valid");
        let mut seen = BTreeSet::new();
        for (handle, variable) in module.global_variables.iter() {
            let Some(binding) = &variable.binding else { continue };
            assert_eq!(binding.group, 0, "{key}: group");
            assert!(seen.insert(binding.binding), "{key}: binding {} twice", binding.binding);
            // `layout: None` omits bindings that `main` does not use, and the bind group would not match.
            assert!(!info.get_entry_point(0)[handle].is_empty(), "{key}: {:?} is not used", variable.name);
            let uniform = variable.space == naga::AddressSpace::Uniform;
            assert_eq!(uniform, binding.binding == 0, "{key}: binding 0 is the uniform, and no other");
        }
        assert!(seen.iter().copied().eq(0..seen.len() as u32), "{key}: bindings {seen:?}");
        assert!(seen.len() as u32 <= STORAGE_BUFFERS + 1, "{key}: {} bindings", seen.len());
    }
}

#[test]
fn uniforms_are_what_the_wrappers_write() {
    for (entry, variant) in all() {
        let (module, key) = (module(&variant, &LIMITS[0]), variant.key());
        let (_, params) = module
            .global_variables
            .iter()
            .find(|(_, v)| v.space == naga::AddressSpace::Uniform)
            .unwrap_or_else(|| panic!("{key}: no uniform"));
        let naga::TypeInner::Struct { members, .. } = &module.types[params.ty].inner else {
            panic!("{key}: the uniform is not a struct");
        };
        let shader: Vec<(&str, usize)> =
            members.iter().map(|m| (m.name.as_deref().unwrap_or_default(), m.offset as usize)).collect();
        assert_eq!(shader, entry.uniform_fields, "{key}: fields and offsets, WGSL left, wrapper right");
        let last = members.last().map_or(0, |m| m.offset + module.types[m.ty].inner.size(module.to_ctx()));
        assert_eq!(entry.uniform_bytes, last as usize, "{key}: bytes of the uniform");
    }
}

#[test]
fn kernels_and_snippets_are_listed_and_used() {
    let files = |folder: &str| -> BTreeSet<String> {
        let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|f| f.unwrap().file_name().to_str().unwrap().strip_suffix(".wgsl").map(str::to_owned))
            .collect()
    };
    let names =
        |names: &mut dyn Iterator<Item = &str>| -> BTreeSet<String> { names.map(str::to_owned).collect() };
    let variants: Vec<Variant> = all().map(|(_, variant)| variant).collect();
    assert_eq!(files("shaders"), names(&mut variants.iter().map(|v| v.kernel.name)), "kernels");
    assert_eq!(files("shaders/lib"), names(&mut shader::snippets().map(|(name, _)| name)), "snippets");

    let mut texts: Vec<&str> = variants.iter().map(|v| v.kernel.source).collect();
    texts.extend(shader::snippets().map(|(_, text)| text));
    let named = texts.iter().flat_map(|text| text.lines()).filter_map(|l| l.trim().strip_prefix("//#use "));
    let provided = variants.iter().flat_map(|v| v.providers.iter().map(|(_, snippet)| *snippet));
    let used: HashSet<&str> = named.chain(provided).chain(LIMITS.iter().map(shader::rotations)).collect();
    for (name, _) in shader::snippets() {
        assert!(used.contains(name), "shaders/lib/{name}.wgsl is not used");
    }
    let keys: HashSet<String> = variants.iter().map(Variant::key).collect();
    assert_eq!(keys.len(), variants.len(), "a variant is listed twice");
}
