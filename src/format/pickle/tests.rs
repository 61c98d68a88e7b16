use pollster::block_on;

use super::*;
use crate::error::Code;
use crate::format::safetensors;
use crate::format::source::MemorySource;

// All fixtures are from tests/golden/pytorch_bin.py.
const TINY: &[u8] = include_bytes!("../../../tests/golden/pickle/tiny.bin");

fn open(bytes: &[u8]) -> Result<Checkpoint> {
    block_on(parse(Rc::new(MemorySource::new("tiny.bin", bytes.to_vec()))))
}

#[test]
fn tensors_equal_those_of_safetensors() {
    let bytes = include_bytes!("../../../tests/golden/pickle/tiny.safetensors").to_vec();
    let right = block_on(safetensors::parse(Rc::new(MemorySource::new("s", bytes)))).unwrap();
    let found = open(TINY).unwrap();
    assert_eq!(found.tensors.len(), 6);
    assert!(found.tensors.keys().eq(right.tensors.keys()));
    for (name, info) in &found.tensors {
        let other = &right.tensors[name];
        assert_eq!((info.dtype, &info.shape), (other.dtype, &other.shape), "{name}");
        let len = info.shape.iter().product::<u64>() as usize;
        let bits = |checkpoint: &Checkpoint, info| -> Vec<u32> {
            block_on(checkpoint.read_f32(info, 0, len)).unwrap().into_iter().map(f32::to_bits).collect()
        };
        assert_eq!(bits(&found, info), bits(&right, other), "{name}");
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    for (bytes, says) in [
        (
            &include_bytes!("../../../tests/golden/pickle/transposed.bin")[..],
            "tensor `t`: expected contiguous",
        ),
        (include_bytes!("../../../tests/golden/pickle/legacy.bin"), "PyTorch before 1.6"),
    ] {
        let error = open(bytes).unwrap_err();
        assert_eq!(error.code(), Code::ModelUnsupported);
        assert!(error.message().contains(says) && error.message().starts_with("tiny.bin"), "{error}");
    }
}

#[test]
fn damaged_files_are_errors() {
    for len in 0..TINY.len() {
        assert!(open(&TINY[..len]).is_err(), "{len} bytes");
    }
    // Any changed byte gives an error or tensors, and never a panic.
    for at in 0..TINY.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut bytes = TINY.to_vec();
            bytes[at] ^= change;
            let _ = open(&bytes);
        }
    }
}

#[test]
fn hostile_pickles_are_refused() {
    let deep = [&b"\x80\x02)"[..], &b"\x85".repeat(200_000), b"."].concat();
    let many = [&b"\x80\x02"[..], &b"N".repeat(300_000), b"."].concat();
    let long_name = [&b"\x80\x02}X\0\0\x01\0"[..], &[b'a'; 65536], b"Ns."].concat();
    for (pickle, code, says) in [
        (&b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R."[..], Code::ModelUnsupported, "os.system"),
        (b"\x80\x02cbuiltins\neval\n.", Code::ModelUnsupported, "builtins.eval"),
        (b"\x80\x02ctorch\nload\n.", Code::ModelUnsupported, "torch.load"),
        (b"\x80\x02i", Code::ModelUnsupported, "opcode 0x69"),
        (b"\x80\x02X\xff\xff\xff\xff", Code::FileCorrupt, "more bytes"),
        (b"\x80\x02j\xff\xff\xff\xff.", Code::FileCorrupt, "stored value"),
        (b"\x80\x02(\x85.", Code::FileCorrupt, "on the stack"),
        (b"\x80\x02R.", Code::FileCorrupt, "on the stack"),
        (b"\x80\x02}(K\x01u.", Code::FileCorrupt, "value for each key"),
        (b"\x80\x02K\x01Q.", Code::FileCorrupt, "a tuple"),
        (b"", Code::FileCorrupt, "more bytes"),
        (&deep, Code::ModelUnsupported, "dictionary of tensors"),
        (&many, Code::LimitExceeded, "at most 262144 values"),
        (&long_name, Code::ModelUnsupported, "at most 1024 bytes"),
    ] {
        let error = unpickle::state_dict(pickle).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.message().contains(says), "{error}");
    }
}
