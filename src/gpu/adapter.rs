//! What an adapter can do.

/// Whether the adapter can multiply 16 x 16 cooperative matrices in f16, with f32 sums, in subgroups of 32 threads. Browsers do not
/// offer them.
pub(super) fn has_matrix_units(adapter: &wgpu::Adapter) -> bool {
    use wgpu::CooperativeScalarType::{F16, F32};
    let (info, features) = (adapter.get_info(), adapter.features());
    let needed = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX | wgpu::Features::SHADER_F16;
    features.contains(needed)
        && [info.subgroup_min_size, info.subgroup_max_size] == [32, 32]
        && adapter
            .cooperative_matrix_properties()
            .iter()
            .any(|p| [p.m_size, p.n_size, p.k_size] == [16; 3] && (p.ab_type, p.cr_type) == (F16, F32))
}

/// Enables wgpu's experimental features. Cooperative matrices are the only such feature that a device is opened with.
#[allow(unsafe_code, reason = "wgpu marks every experimental feature so, whether or not its use is unsafe")]
pub(super) fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: the tile for matrix units loads and stores cooperative matrices only in workgroup memory, within the bounds of its
    // arrays, and in complete subgroups. wgpu's documentation of the feature states no other requirement.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

/// Whether an adapter computes on the CPU. A browser does not reveal the kind of an adapter, but the names of its software GPUs are
/// known.
pub(super) fn is_software(adapter: &wgpu::AdapterInfo) -> bool {
    let names = [&adapter.name, &adapter.driver, &adapter.driver_info];
    let known = |name: &&String| ["swiftshader", "llvmpipe"].iter().any(|s| name.to_lowercase().contains(s));
    adapter.device_type == wgpu::DeviceType::Cpu || names.iter().any(known)
}
