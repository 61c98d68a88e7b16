//! What an adapter can do.

use crate::error::{Result, bail};

/// Maximum number of storage buffers that a kernel binds.
pub const STORAGE_BUFFERS: u32 = 6;

/// Maximum number of threads in a kernel's workgroup.
pub const WORKGROUP_THREADS: u32 = 256;

/// Maximum bytes of workgroup memory that a kernel uses.
pub const WORKGROUP_BYTES: u32 = 16 << 10;

/// The limits to request of an adapter: WebGPU's defaults, or lower ones if it offers less, as in the compatibility mode.
///
/// # Errors
/// `webgpu-unavailable` if the adapter offers less than the kernels need.
pub(super) fn limits_of(offered: &wgpu::Limits) -> Result<wgpu::Limits> {
    let needed = [
        ("storage buffers in a shader", offered.max_storage_buffers_per_shader_stage, STORAGE_BUFFERS),
        ("threads in a workgroup", offered.max_compute_invocations_per_workgroup, WORKGROUP_THREADS),
        ("bytes of workgroup memory", offered.max_compute_workgroup_storage_size, WORKGROUP_BYTES),
    ];
    for (what, offered, needed) in needed {
        if offered < needed {
            bail!(WebgpuUnavailable, "the GPU offers {offered} {what}, but {needed} are needed");
        }
    }
    Ok(wgpu::Limits::default().or_worse_values_from(offered))
}

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
