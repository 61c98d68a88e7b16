#![no_main]
#[path = "../fuzzer.rs"]
mod fuzzer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzer::run("gguf", bytes));
