use std::collections::BTreeMap;
use std::rc::Rc;

use pollster::block_on;

use super::*;
use crate::error::Code;
use crate::format::files::{INDEX_FILE, MemoryDir};
use crate::format::safetensors_writer::{SafetensorsWriter, TensorSpec};
use crate::format::sharded::open_sharded;
use crate::format::source::MemorySource;

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn parse_bytes(bytes: Vec<u8>) -> Result<Checkpoint> {
    block_on(parse(Rc::new(MemorySource::new("m.safetensors", bytes))))
}

/// Parses a malformed file, and checks the code of the error and that its message contains each entry of `says`.
fn refused(header: &str, data: &[u8], code: Code, says: &[&str]) {
    let error = parse_bytes(file(header, data)).expect_err(header);
    assert_eq!(error.code(), code, "{error}");
    for part in ["m.safetensors"].iter().chain(says) {
        assert!(error.message().contains(part), "{part:?} not in: {error}");
    }
}

const GOOD: &str = r#"{"__metadata__":{"format":"pt"},
"b":{"dtype":"F16","shape":[2],"data_offsets":[24,28]},"ids":{"dtype":"I64","shape":[1,2],"data_offsets":[8,24]},
"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"s":{"dtype":"BF16","shape":[],"data_offsets":[28,30]},
"none":{"dtype":"F32","shape":[0,4],"data_offsets":[30,30]}}  "#;

fn good_data() -> Vec<u8> {
    let mut data = [1.5f32.to_le_bytes(), (-2f32).to_le_bytes()].concat();
    data.extend([9; 16]);
    data.extend([0x00, 0x3c, 0x00, 0xc0, 0x80, 0x3f]);
    data
}

#[test]
fn reads_tensors_and_leaves_out_integers() {
    let checkpoint = parse_bytes(file(GOOD, &good_data())).unwrap();
    assert_eq!(checkpoint.tensors.keys().collect::<Vec<_>>(), ["a", "b", "none", "s"]);
    assert_eq!(checkpoint.metadata["format"], "pt");
    assert_eq!(checkpoint.elements(), 5);
    let read =
        |name: &str, first, count| block_on(checkpoint.read_f32(checkpoint.get(name).unwrap(), first, count));
    assert_eq!(read("a", 0, 2).unwrap(), [1.5, -2.0]);
    assert_eq!(read("a", 1, 1).unwrap(), [-2.0]);
    assert_eq!(read("b", 0, 2).unwrap(), [1.0, -2.0]);
    assert_eq!(read("s", 0, 1).unwrap(), [1.0]);
    assert_eq!(read("none", 0, 0).unwrap(), [0f32; 0]);
    assert_eq!(checkpoint.get("a").unwrap().shape, [1, 2]);
    assert_eq!(read("a", 1, 2).unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(read("a", u64::MAX, 2).unwrap_err().code(), Code::InvalidArgument);
    assert!(checkpoint.get("zz").unwrap_err().message().contains("`zz`"));
}

#[test]
fn every_truncation_is_refused() {
    let whole = file(GOOD, &good_data());
    for len in 0..whole.len() {
        let error = parse_bytes(whole[..len].to_vec()).expect_err("a truncated file");
        assert_eq!(error.code(), Code::FileCorrupt, "at {len}: {error}");
    }
    let mut longer = whole;
    longer.push(0);
    assert!(parse_bytes(longer).is_err());
}

#[test]
fn every_changed_header_byte_is_handled() {
    let whole = file(GOOD, &good_data());
    for at in 0..whole.len() - good_data().len() {
        for value in [0, b'"', b'}', b'9', b'-', 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            let _ = parse_bytes(bytes); // must not panic
        }
    }
}

#[test]
fn absurd_header_lengths_are_refused_before_allocating() {
    for length in [u64::MAX, 1 << 63, MAX_HEADER_BYTES + 1, 1000] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(b"{}");
        let error = parse_bytes(bytes).unwrap_err();
        assert!(error.message().contains(&length.to_string()), "{error}");
    }
    assert!(parse_bytes(vec![0; 8]).is_err());
    assert!(parse_bytes(file("{}", &[])).unwrap().tensors.is_empty());
}

#[test]
fn malformed_tensors_are_refused_by_name() {
    let corrupt = Code::FileCorrupt;
    let one = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    refused(&one("F32", "[2]", "[0,4]"), &[0; 4], corrupt, &["`w`", "expected 8", "found 4"]);
    refused(&one("F32", "[1]", "[4,0]"), &[0; 4], corrupt, &["`w`", "4..0"]);
    refused(&one("F32", "[2]", "[0,8]"), &[0; 4], corrupt, &["`w`", "0..8"]);
    refused(&one("F32", "[1]", "[4,8]"), &[0; 8], corrupt, &["`w`", "gap"]);
    refused(&one("F32", "[1]", "[0,4]"), &[0; 8], corrupt, &["expected 4", "found 8"]);
    refused(&one("F32", "[4294967296,4294967296]", "[0,0]"), &[], corrupt, &["`w`", "2^64"]);
    refused(&one("F32", "[4611686018427387905]", "[0,4]"), &[0; 4], corrupt, &["`w`"]);
    refused(&one("I64", "[18446744073709551615,2]", "[0,0]"), &[], corrupt, &["`w`"]);
    refused(&one("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), &[0; 4], corrupt, &["`w`", "8 dimensions"]);
    for bad in ["[-1]", "[1.0]", "[NaN]", "[1e3]", "[18446744073709551616]", "[null]", "7", "\"x\""] {
        refused(&one("F32", bad, "[0,4]"), &[0; 4], corrupt, &["header"]);
    }
    for bad in ["[0]", "[0,4,8]", "[-4,0]", "{}"] {
        refused(&one("F32", "[1]", bad), &[0; 4], corrupt, &["header"]);
    }
    refused(&one("F4", "[3]", "[0,2]"), &[0; 2], corrupt, &["`w`", "whole number"]);
    refused(&one("F8_E4M3", "[1]", "[0,8]"), &[0; 8], corrupt, &["`w`", "expected 1"]);
}

#[test]
fn tensors_of_other_types_are_passed_over_by_name() {
    for (dtype, bytes) in [("F64", 8), ("F8_E4M3", 1), ("I64", 8), ("U8", 1), ("F64X", 3)] {
        let header = format!(
            r#"{{"w":{{"dtype":"{dtype}","shape":[1],"data_offsets":[0,{bytes}]}},
                "a":{{"dtype":"F32","shape":[1],"data_offsets":[{bytes},{}]}}}}"#,
            bytes + 4
        );
        let checkpoint = parse_bytes(file(&header, &vec![0; bytes + 4])).unwrap();
        assert!(checkpoint.tensors.keys().eq(["a"]));
        assert_eq!(checkpoint.unread, BTreeMap::from([("w".to_owned(), dtype.to_owned())]));
    }
}

#[test]
fn overlaps_and_duplicates_are_refused() {
    let entry = |name: &str, begin: u32| {
        format!(r#""{name}":{{"dtype":"F32","shape":[2],"data_offsets":[{begin},{}]}}"#, begin + 8)
    };
    let overlap = format!("{{{},{}}}", entry("a", 0), entry("b", 4));
    refused(&overlap, &[0; 12], Code::FileCorrupt, &["`b`", "overlaps `a`"]);
    let same = format!("{{{},{}}}", entry("a", 0), entry("b", 0));
    refused(&same, &[0; 8], Code::FileCorrupt, &["overlaps"]);
    let twice = format!("{{{},{}}}", entry("a", 0), entry("a", 8));
    refused(&twice, &[0; 16], Code::FileCorrupt, &["`a` occurs twice"]);
}

#[test]
fn malformed_json_is_refused() {
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    let deep_shape =
        format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":{},\"data_offsets\":[0,4]}}}}", "[".repeat(100_000));
    let extra = format!("{{\"a\":{{\"x\":{}", "[".repeat(100_000));
    for header in [
        "",
        "[]",
        "{",
        " {}",
        "{\"a\":3}",
        "{}{}",
        "{\"__metadata__\":{\"a\":1}}",
        &deep,
        &deep_shape,
        &extra,
    ] {
        refused(header, &[], Code::FileCorrupt, &[]);
    }
    assert!(parse_bytes(file("{\"\u{0}\":1}", &[])).is_err());
    let mut bytes = file("{\"ab\":1}", &[]);
    bytes[10] = 0xff;
    assert!(parse_bytes(bytes).is_err());
}

fn spec(name: &str, dtype: DType, shape: &[u64]) -> TensorSpec {
    TensorSpec { name: name.to_owned(), dtype, shape: shape.to_vec() }
}

#[test]
fn what_the_writer_writes_reads_back() {
    let specs = [
        spec("w", DType::F32, &[3, 10_000]),
        spec("empty", DType::F32, &[0]),
        spec("half", DType::F16, &[3]),
        spec("brain", DType::BF16, &[]),
    ];
    let values: Vec<f32> = (0..30_000).map(|i| (i as f32).sin()).collect();
    let mut bytes = Vec::new();
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let mut writer = SafetensorsWriter::new(&specs, &metadata, |chunk| {
        bytes.extend(chunk);
        Ok(())
    })
    .unwrap();
    let file_len = writer.file_len();
    for chunk in values.chunks(7_001) {
        writer.write_f32("w", chunk).unwrap();
    }
    writer.write_f32("half", &[1.0, 0.1]).unwrap();
    let wrong = writer.write_f32("brain", &[1.0]).unwrap_err();
    assert!(wrong.message().contains("1 more elements of tensor `half`"), "{wrong}");
    assert!(writer.write_f32("half", &[1.0, 2.0]).is_err());
    writer.write_f32("half", &[-2.0]).unwrap();
    writer.write_f32("brain", &[0.1]).unwrap();
    assert!(writer.write_f32("more", &[0.1]).is_err());
    let _sink = writer.finish().unwrap();
    assert_eq!(bytes.len() as u64, file_len);
    assert_eq!(u64::from_le_bytes(bytes[..8].try_into().unwrap()) % 8, 0);

    // The reference implementation agrees.
    let reference = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(reference.tensor("w").unwrap().shape(), [3, 10_000]);

    let checkpoint = parse_bytes(bytes).unwrap();
    assert_eq!(checkpoint.metadata, metadata);
    let read =
        |name: &str, count| block_on(checkpoint.read_f32(&checkpoint.tensors[name], 0, count)).unwrap();
    assert_eq!(read("w", 30_000), values);
    assert_eq!(read("half", 3), [1.0, half::f16::from_f32(0.1).to_f32(), -2.0]);
    assert_eq!(read("brain", 1), [half::bf16::from_f32(0.1).to_f32()]);
}

#[test]
fn the_writer_refuses_what_it_cannot_write() {
    let new = |specs: &[TensorSpec]| SafetensorsWriter::new(specs, &BTreeMap::new(), |_| Ok(())).map(|_| ());
    assert!(new(&[spec("a", DType::F32, &[1]), spec("a", DType::F32, &[1])]).is_err());
    assert!(new(&[spec("__metadata__", DType::F32, &[1])]).is_err());
    assert!(new(&[spec("a", DType::Q4_0, &[32])]).is_err());
    assert!(new(&[spec("a", DType::F32, &[u64::MAX, 2])]).is_err());
    assert!(new(&[spec("a", DType::F16, &[u64::MAX / 2]), spec("b", DType::F16, &[u64::MAX / 4])]).is_err());
    let short = SafetensorsWriter::new(&[spec("a", DType::F32, &[2])], &BTreeMap::new(), |_| Ok(())).unwrap();
    assert!(short.finish().map(|_| ()).unwrap_err().message().contains("`a`"));
    let failing = |_: &[u8]| Err(Error::new(Code::StorageFull, "full"));
    let error = SafetensorsWriter::new(&[], &BTreeMap::new(), failing).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::StorageFull);
}

fn one_tensor(name: &str, value: f32) -> Vec<u8> {
    let header = format!(r#"{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#);
    file(&header, &value.to_le_bytes())
}

fn sharded(index: &str, dir: MemoryDir) -> Result<Checkpoint> {
    let index = MemorySource::new(INDEX_FILE, index.as_bytes().to_vec());
    block_on(open_sharded(&dir, &index))
}

#[test]
fn shards_are_joined_by_the_index() {
    let ids = file(r#"{"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#, &[0; 8]);
    let dir = MemoryDir::new("m")
        .with("1.st", one_tensor("a", 1.0))
        .with("2.st", one_tensor("b", 2.0))
        .with("sub/3.st", ids);
    let checkpoint = sharded(
        r#"{"metadata":{"total_size":8},"weight_map":{"a":"1.st","b":"2.st","ids":"sub/3.st"}}"#,
        dir.clone(),
    )
    .unwrap();
    for (name, value) in [("a", 1.0), ("b", 2.0)] {
        assert_eq!(block_on(checkpoint.read_f32(&checkpoint.tensors[name], 0, 1)).unwrap(), [value]);
    }
    assert_eq!(checkpoint.tensors.len(), 2);
    for (index, says) in [
        (r#"{"weight_map":{"a":"1.st","b":"1.st"}}"#, "tensor `b`"),
        (r#"{"weight_map":{"a":"9.st"}}"#, "9.st"),
        (r#"{"weight_map":{"a":"../1.st"}}"#, "../1.st"),
        (r#"{"weight_map":{"a":"sub/../../1.st"}}"#, "in its directory or below"),
        (r#"{"weight_map":{"a":"/1.st"}}"#, "in its directory or below"),
        (r#"{"weight_map":{"a":""}}"#, "in its directory or below"),
        (r#"{"weight_map":{"a":3}}"#, INDEX_FILE),
        ("{}", "weight_map"),
        ("{", INDEX_FILE),
    ] {
        let error = sharded(index, dir.clone()).unwrap_err();
        assert_eq!(error.code(), Code::FileCorrupt, "{error}");
        assert!(error.message().contains(says), "{error}");
    }
}
