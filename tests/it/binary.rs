//! Runs the compiled binary.
#![cfg(not(target_arch = "wasm32"))]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::common::golden;

/// The template of the golden data in `bert/train.csv`, whose labels are `great` and `terrible`.
pub(crate) const TEMPLATE: &str = "{text} It was [MASK] .";

/// The binary with these arguments. Its output is captured.
pub(crate) fn binary(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pocketllm"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The binary with JSON results, on the CPU reference kernels.
pub(crate) fn on_cpu(args: &[&str]) -> Command {
    binary(&[&["--json", "--device", "cpu"], args].concat())
}

pub(crate) fn run(args: &[&str]) -> Output {
    binary(args).output().unwrap()
}

/// `gpu`, or `cpu` if there is no adapter and none is required.
pub(crate) fn device() -> &'static str {
    static DEVICE: OnceLock<&str> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let out = path(dir.path(), "probe");
        let probe = run(&["--json", "logits", "--model", &golden::path("bert"), "--ids", "5", "--out", &out]);
        if probe.status.success() {
            return "gpu";
        }
        let error = json(&probe)["error"].clone();
        let required = std::env::var("POCKETLLM_REQUIRE_GPU").is_ok_and(|v| v == "1");
        assert!(error["code"] == "webgpu-unavailable" && !required, "no GPU: {error}");
        println!("no GPU, on the CPU instead: {}", error["message"]);
        "cpu"
    })
}

pub(crate) fn path(dir: &Path, name: &str) -> String {
    dir.join(name).to_str().unwrap().to_owned()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The JSON value that stdout consists of.
pub(crate) fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("stdout: {e}: {text}\nstderr: {}", stderr(output)))
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn done(what: &str, output: &Output) {
    assert!(output.status.success(), "{what}: {}: {}", output.status, stderr(output));
}
