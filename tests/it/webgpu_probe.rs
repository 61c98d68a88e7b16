//! The first thing to look at if every GPU test fails: is there an adapter at all, is it the expected one, and does it compute
//! correctly? It calls wgpu directly, so nothing in this crate can be to blame.
//!
//! In a browser it runs in a dedicated worker, like the engine in a tab. Natively, if there is no adapter, it is skipped and
//! counted as skipped, unless `POCKETLLM_REQUIRE_GPU=1`.

/// Number of values that the probe processes: more than one workgroup, and not a multiple of one.
const COUNT: u32 = 1000;

/// `data[i] = 2 * data[i] + 1` over `data: [COUNT] u32`.
const SHADER: &str = "
@group(0) @binding(0) var<storage, read_write> data: array<u32>; // [count] u32

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&data) {
        data[id.x] = 2u * data[id.x] + 1u;
    }
}
";

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test::wasm_bindgen_test]
async fn an_adapter_computes() {
    let adapter = adapter().await.unwrap_or_else(|error| panic!("no WebGPU adapter: {error}"));
    let summary = summary(&adapter);
    wasm_bindgen_test::console_log!("{summary}");
    compute(&adapter).await;
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn an_adapter_computes() {
    pollster::block_on(async {
        match adapter().await {
            Ok(adapter) => {
                println!("{}", summary(&adapter));
                compute(&adapter).await;
            }
            Err(error) if std::env::var("POCKETLLM_REQUIRE_GPU").is_ok_and(|v| v == "1") => {
                panic!("POCKETLLM_REQUIRE_GPU is set, and there is no adapter: {error}")
            }
            Err(error) => crate::common::skip("an_adapter_computes", &format!("no adapter: {error}")),
        }
    });
}

async fn adapter() -> Result<wgpu::Adapter, wgpu::RequestAdapterError> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await
}

fn summary(adapter: &wgpu::Adapter) -> String {
    let info = adapter.get_info();
    let limits = adapter.limits();
    format!(
        "adapter: {:?} on {:?} ({:?}, {} {}), shader-f16 {}, buffer {} MiB, binding {} MiB, workgroup memory {} KiB",
        info.name,
        info.backend,
        info.device_type,
        info.driver,
        info.driver_info,
        adapter.features().contains(wgpu::Features::SHADER_F16),
        limits.max_buffer_size >> 20,
        limits.max_storage_buffer_binding_size >> 20,
        limits.max_compute_workgroup_storage_size >> 10,
    )
}

/// Runs [`SHADER`] on a device with WebGPU's default limits and checks every number it wrote.
async fn compute(adapter: &wgpu::Adapter) {
    let descriptor =
        wgpu::DeviceDescriptor { required_limits: wgpu::Limits::default(), ..Default::default() };
    let (device, queue) = adapter
        .request_device(&descriptor)
        .await
        .unwrap_or_else(|error| panic!("no device with WebGPU's default limits: {error}"));

    let input: Vec<u32> = (0..COUNT).map(|i| i * 3).collect();
    let bytes = u64::from(COUNT) * 4;
    let data = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("probe data"),
        size: bytes,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let read_back = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("probe read-back"),
        size: bytes,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    queue.write_buffer(&data, 0, bytemuck::cast_slice(&input));

    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("probe"),
        source: wgpu::ShaderSource::Wgsl(SHADER.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("probe"),
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("probe"),
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[wgpu::BindGroupEntry { binding: 0, resource: data.as_entire_binding() }],
    });

    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(COUNT.div_ceil(64), 1, 1);
    }
    encoder.copy_buffer_to_buffer(&data, 0, &read_back, 0, bytes);
    queue.submit([encoder.finish()]);

    let (sender, mapped) = futures_channel::oneshot::channel();
    read_back.map_async(wgpu::MapMode::Read, .., move |result| {
        let _ = sender.send(result);
    });
    // A browser maps by itself once this task yields; natively, the device must be polled.
    #[cfg(not(target_arch = "wasm32"))]
    device
        .poll(wgpu::PollType::wait_indefinitely())
        .unwrap_or_else(|error| panic!("the device did not finish: {error}"));
    mapped
        .await
        .unwrap_or_else(|_| panic!("the device went away before the read-back"))
        .unwrap_or_else(|error| panic!("the read-back was not mapped: {error}"));

    let view = read_back
        .get_mapped_range(..)
        .unwrap_or_else(|error| panic!("the read-back has no mapped range: {error}"));
    let found: Vec<u32> = bytemuck::pod_collect_to_vec(&view);
    let expected: Vec<u32> = input.iter().map(|x| 2 * x + 1).collect();
    assert_eq!(found, expected, "the adapter computes wrong numbers");
}
