//! A `.gguf` file that is split into parts (`tests/golden/gguf_split.py`) gives the same model as the whole file.

use std::path::{Path, PathBuf};

use pocketllm::dtype::DType;
use pocketllm::error::Code;
use pocketllm::format::files::{FsDir, MemoryDir, ModelDir};
use pocketllm::reference::Host;
use pocketllm::train::Session;
use pollster::block_on;

use crate::common::compare::digests;
use crate::common::golden;

const PARTS: [&str; 3] =
    ["model-00001-of-00003.gguf", "model-00002-of-00003.gguf", "model-00003-of-00003.gguf"];

fn part(number: usize) -> Vec<u8> {
    std::fs::read(Path::new(&golden::path("llama-gguf-split")).join(PARTS[number])).unwrap()
}

fn open(dir: &dyn ModelDir) -> pocketllm::error::Result<Session> {
    block_on(Session::open(Host::open(), dir, DType::F32, &mut |_| Ok(())))
}

#[test]
fn a_split_file_is_the_whole_one() {
    let whole = open(&FsDir::new(golden::path("llama-gguf/model.gguf")).unwrap()).unwrap();
    let folder = PathBuf::from(golden::path("llama-gguf-split"));
    for path in [folder.clone(), folder.join(PARTS[0]), folder.join(PARTS[2])] {
        let split = open(&FsDir::new(&path).unwrap()).unwrap();
        assert_eq!(block_on(digests(&split)), block_on(digests(&whole)), "{}", path.display());
        assert_eq!(
            split.tokenizer().unwrap().encode("It was", true),
            whole.tokenizer().unwrap().encode("It was", true)
        );
    }
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let of = |contents: [Vec<u8>; 3]| {
        PARTS.iter().zip(contents).fold(MemoryDir::new("m"), |dir, (name, bytes)| dir.with(*name, bytes))
    };
    let cut = part(2)[..20_000].to_vec();
    for (dir, says) in [
        (
            of([part(1), part(0), part(2)]),
            "model-00001-of-00003.gguf: expected part 1 of 3, found part 2 of 3",
        ),
        (
            of([part(0), part(1), part(1)]),
            "model-00003-of-00003.gguf: expected part 3 of 3, found part 2 of 3",
        ),
        (of([part(0), part(1), cut]), "model-00003-of-00003.gguf: tensor `"),
        (
            MemoryDir::new("m").with("model.gguf", part(0)),
            "model.gguf: expected a whole file, found part 1 of 3",
        ),
    ] {
        let error = open(&dir).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), Code::FileCorrupt, "{error}");
        assert!(error.message().contains(says), "{says:?} not in: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(PARTS[0]), part(0)).unwrap();
    let error = open(&FsDir::new(folder.path().join(PARTS[0])).unwrap()).map(|_| ()).unwrap_err();
    assert!(error.message().contains("found no model-00002-of-00003.gguf"), "{error}");
}
