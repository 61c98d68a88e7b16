//! Weights that a storage format cannot represent are rejected with the name of their tensor, and never silently become infinite.
//! On the CPU reference kernels.
#![cfg(not(target_arch = "wasm32"))]

use std::rc::Rc;

use pocketllm::dtype::{DType, Format};
use pocketllm::error::Code;
use pocketllm::format::files::MemoryDir;
use pocketllm::format::safetensors;
use pocketllm::format::safetensors_writer::{SafetensorsWriter, TensorSpec};
use pocketllm::format::source::MemorySource;
use pocketllm::reference::Host;
use pocketllm::train::Session;
use pollster::block_on;

use crate::common::golden;

/// Loads, in this format, an f32 model whose rows are whole blocks, with one element of a tensor replaced.
fn load(tensor: &str, element: usize, value: f32, dtype: DType) -> pocketllm::error::Result<Session> {
    let read = |file: &str| std::fs::read(golden::path(&format!("peft/blocks-llama/{file}"))).unwrap();
    let source = MemorySource::new("model.safetensors", read("model.safetensors"));
    let checkpoint = block_on(safetensors::parse(Rc::new(source))).unwrap();
    let specs: Vec<TensorSpec> = checkpoint
        .tensors
        .values()
        .map(|info| TensorSpec { name: info.name.clone(), dtype: DType::F32, shape: info.shape.clone() })
        .collect();
    let mut weights = Vec::new();
    let sink = |bytes: &[u8]| {
        weights.extend_from_slice(bytes);
        Ok(())
    };
    let mut writer = SafetensorsWriter::new(&specs, &Default::default(), sink).unwrap();
    for info in checkpoint.tensors.values() {
        let mut values = block_on(checkpoint.read_f32(info, 0, info.elements() as usize)).unwrap();
        if info.name == tensor {
            // The writer rejects such a value.
            values[element] = MARK;
        }
        writer.write_f32(&info.name, &values).unwrap();
    }
    writer.finish().map(drop).unwrap();
    let at = weights.windows(4).position(|bytes| bytes == MARK.to_le_bytes()).unwrap();
    weights[at..at + 4].copy_from_slice(&value.to_le_bytes());
    let dir =
        MemoryDir::new("llama").with("config.json", read("config.json")).with("model.safetensors", weights);
    block_on(Session::open(Host::open(), &dir, dtype, &mut |_| Ok(())))
}

/// A number that does not occur in the model.
const MARK: f32 = 1.234_567_8e17;

const MATRIX: &str = "model.layers.0.mlp.up_proj.weight";
const NORM: &str = "model.layers.0.input_layernorm.weight";

#[test]
fn a_weight_beyond_the_range_of_a_format_is_refused_by_name() {
    let most = half::f16::MAX.to_f32();
    let encoded = Format::ALL.iter().filter(|format| format.encode.is_some() && !format.options.is_empty());
    let formats: Vec<DType> = encoded.map(|format| format.dtype).collect();
    assert!(formats.len() > 3, "{formats:?}");
    for dtype in formats {
        let is_f32 = dtype == DType::F32;
        for value in [65536.0, -70000.0, 6e5, -1e9, 3e38] {
            let loaded = load(MATRIX, 5, value, dtype);
            assert_eq!(loaded.is_ok(), is_f32, "{value} in {dtype}");
            if let Err(error) = loaded {
                assert_eq!(error.code(), Code::InvalidArgument);
                assert!(error.message().contains(MATRIX) && error.message().contains("dtype f32"), "{error}");
            }
            // Norms and biases are f32 in every format.
            load(NORM, 3, value, dtype).unwrap();
        }
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for tensor in [MATRIX, NORM] {
                let error = load(tensor, 5, value, dtype).err().unwrap();
                assert_eq!(error.code(), Code::FileCorrupt);
                assert!(error.message().contains(tensor), "{error}");
            }
        }
        load(MATRIX, 5, most, dtype).unwrap();
        load(MATRIX, 5, -most, dtype).unwrap();
        load(MATRIX, 5, 1e-30, dtype).unwrap();
    }
}

#[test]
fn what_is_encoded_up_to_the_range_of_f16_is_finite_again() {
    let most = half::f16::MAX.to_f32();
    let mut values = [0.0; 256];
    for (index, value) in values.iter_mut().enumerate() {
        *value = if index % 3 == 0 { most } else { -most / (1 + index % 7) as f32 };
    }
    for format in Format::ALL.iter().filter(|format| format.encode.is_some()) {
        let mut decoded = [f32::NAN; 256];
        format.dtype.dequantize(&format.dtype.quantize(&values).unwrap(), &mut decoded);
        assert!(decoded.iter().all(|value| value.is_finite()), "{}: {decoded:?}", format.dtype);
    }
}

#[test]
fn no_file_is_written_with_numbers_that_its_format_does_not_have() {
    for (dtype, value, is) in [
        (DType::F32, f32::NAN, false),
        (DType::F32, f32::INFINITY, false),
        (DType::F32, 3e38, true),
        (DType::F16, 65504.0, true),
        (DType::F16, 65536.0, false),
    ] {
        let specs = [TensorSpec { name: "w".to_owned(), dtype, shape: vec![1] }];
        let mut writer = SafetensorsWriter::new(&specs, &Default::default(), |_: &[u8]| Ok(())).unwrap();
        let written = writer.write_f32("w", &[value]);
        assert_eq!(written.is_ok(), is, "{value} in {dtype}");
        assert!(written.err().is_none_or(|error| error.message().contains("`w`")));
    }
}
