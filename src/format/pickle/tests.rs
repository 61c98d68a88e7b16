use pollster::block_on;

use super::*;
use crate::error::Code;
use crate::format::safetensors;
use crate::format::source::MemorySource;

// All fixtures are from tests/golden/pytorch_bin.py.
const TINY: &[u8] = include_bytes!("../../../tests/golden/pickle/tiny.bin");
const LEGACY: &[u8] = include_bytes!("../../../tests/golden/pickle/legacy.bin");
const LEGACY_4: &[u8] = include_bytes!("../../../tests/golden/pickle/legacy-protocol-4.bin");
const STORED: &[u8] = include_bytes!("../../../tests/golden/pickle/stored.bin");
const ZIP64: &[u8] = include_bytes!("../../../tests/golden/pickle/zip64.bin");
const VIEWS: &[u8] = include_bytes!("../../../tests/golden/pickle/views.bin");
const VIEWS_LEGACY: &[u8] = include_bytes!("../../../tests/golden/pickle/views-legacy.bin");

fn open(bytes: &[u8]) -> Result<Checkpoint> {
    block_on(parse(Rc::new(MemorySource::new("tiny.bin", bytes.to_vec()))))
}

/// Checks that a file has the same tensors as a safetensors file, also when they are read in parts.
fn equals(bytes: &[u8], right: &[u8]) -> Checkpoint {
    let right = block_on(safetensors::parse(Rc::new(MemorySource::new("s", right.to_vec())))).unwrap();
    let found = open(bytes).unwrap();
    assert!(found.tensors.keys().eq(right.tensors.keys()), "{:?}", found.tensors.keys());
    for (name, info) in &found.tensors {
        let other = &right.tensors[name];
        assert_eq!((info.dtype, &info.shape), (other.dtype, &other.shape), "{name}");
        let all = info.elements();
        for (first, count) in [(0, all), (all / 2, all - all / 2), (all / 3, 1), (1, all - 1)] {
            let bits = |checkpoint: &Checkpoint, info| -> Vec<u32> {
                let values = block_on(checkpoint.read_f32(info, first, count as usize)).unwrap();
                values.into_iter().map(f32::to_bits).collect()
            };
            assert_eq!(bits(&found, info), bits(&right, other), "{name} {first} {count}");
        }
    }
    found
}

#[test]
fn tensors_equal_those_of_safetensors() {
    let right = include_bytes!("../../../tests/golden/pickle/tiny.safetensors");
    for bytes in [TINY, LEGACY, LEGACY_4, STORED, ZIP64] {
        let found = equals(bytes, right);
        assert_eq!(found.tensors.len(), 6);
        assert_eq!(found.unread, BTreeMap::from([("ids".to_owned(), "I64".to_owned())]));
    }
    let typed = include_bytes!("../../../tests/golden/pickle/typed.safetensors");
    equals(include_bytes!("../../../tests/golden/pickle/typed.bin"), typed);
}

#[test]
fn views_are_read_and_other_elements_passed_over() {
    let right = include_bytes!("../../../tests/golden/pickle/views.safetensors");
    for bytes in [VIEWS, VIEWS_LEGACY] {
        let found = equals(bytes, right);
        let unread: Vec<(&str, &str)> =
            found.unread.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect();
        let right = [
            ("bool", "BOOL"),
            ("byte", "U8"),
            ("complex", "C64"),
            ("double", "F64"),
            ("expanded", "F32 with strides [0]"),
            ("int", "I32"),
            ("permuted", "F32 with strides [1, 4, 12]"),
        ];
        assert_eq!(unread, right);
    }
}

/// A source that counts how often it is read.
struct Counted(MemorySource, std::cell::Cell<u32>);

impl ByteSource for Counted {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read(&self, offset: u64, len: usize) -> crate::future::LocalFuture<'_, Result<Vec<u8>>> {
        self.1.set(self.1.get() + 1);
        self.0.read(offset, len)
    }
}

#[test]
fn storages_are_found_without_reading_their_headers() {
    for (bytes, reads) in [(TINY, 6), (LEGACY, 3), (VIEWS, 6)] {
        let source = Rc::new(Counted(MemorySource::new("x", bytes.to_vec()), std::cell::Cell::new(0)));
        block_on(parse(source.clone())).unwrap();
        // Two reads at the start of the file, and one at its end.
        assert!(source.1.get() <= reads, "{} reads", source.1.get());
    }
}

#[test]
fn members_that_are_not_stored_are_named() {
    for (bytes, says) in [
        (&include_bytes!("../../../tests/golden/pickle/deflated.bin")[..], "compressed by method 8"),
        (include_bytes!("../../../tests/golden/pickle/encrypted.bin"), "an encrypted member"),
    ] {
        let error = open(bytes).unwrap_err();
        assert_eq!(error.code(), Code::ModelUnsupported);
        assert!(error.message().contains(says) && error.message().starts_with("tiny.bin"), "{error}");
    }
}

#[test]
fn damaged_files_are_errors() {
    for whole in [TINY, LEGACY, ZIP64] {
        for len in 0..whole.len() {
            let error = open(&whole[..len]).unwrap_err();
            assert!(error.code() == Code::FileCorrupt, "{len} bytes: {error}");
        }
        // Any changed byte must give an error or tensors, never a panic.
        for at in 0..whole.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = whole.to_vec();
                bytes[at] ^= change;
                let _ = open(&bytes);
            }
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
        let error = Machine::run(pickle).and_then(|machine| machine.state_dict()).err().unwrap();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.message().contains(says), "{error}");
    }
}
