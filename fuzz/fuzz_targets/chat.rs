#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pocketllm_fuzz::run("chat", bytes));
