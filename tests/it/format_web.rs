//! Blobs and HTTP ranges in a browser's worker. `fetch` is replaced by a server of a few lines, so that every possible server
//! response is tested without a real server.
#![cfg(target_arch = "wasm32")]

use js_sys::{Reflect, eval};
use pocketllm::error::{Code, Result};
use pocketllm::format::files::{BlobDir, FetchDir, Listed, ModelDir};
use pocketllm::format::safetensors;
use pocketllm::format::source::{BlobSource, ByteSource, FetchSource, WHOLE_LIMIT};
use wasm_bindgen::JsCast;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{AbortSignal, Blob};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// `mode` determines how the server responds; `length` is that of the file, whose byte `i` is `i % 251`.
fn serve(mode: &str, length: u32) {
    eval(&format!(
        r#"
        globalThis.asked = [];
        globalThis.realFetch ??= globalThis.fetch;
        globalThis.fetch = async (request) => {{
            const mode = "{mode}", length = {length};
            const range = request.headers.get("range");
            asked.push(request.method + " " + request.url + " " + range);
            if (request.signal.aborted) throw new DOMException("stopped", "AbortError");
            if (mode === "flaky" && asked.length === 1) throw new TypeError("Failed to fetch");
            if (mode === "busy" && asked.length === 1) return new Response("", {{ status: 503 }});
            if (mode === "missing") return new Response("no", {{ status: 404 }});
            if (mode === "denied") return new Response("no", {{ status: 403 }});
            if (mode === "page") return new Response("<html>", {{ headers: {{ "content-type": "text/html" }} }});
            const bytes = (from, to) => Uint8Array.from({{ length: to - from }}, (_, i) => (from + i) % 251);
            if (request.method === "HEAD") return new Response(null, {{ headers: {{ "content-length": length }} }});
            if (mode === "whole") return new Response(bytes(0, length));
            if (mode === "told") return new Response(bytes(0, 10), {{ headers: {{ "content-length": length }} }});
            if (length === 0) return new Response("", {{ status: 416 }});
            let [from, to] = range.slice(6).split("-").map(Number);
            to = Math.min(to + 1, length);
            const headers = {{ etag: mode === "replaced" ? String(asked.length) : "same" }};
            if (mode !== "hidden") headers["content-range"] = `bytes ${{from}}-${{to - 1}}/${{length}}`;
            if (mode === "short" && asked.length > 1) to -= 1;
            if (mode === "more" && asked.length > 1) to += 1;
            return new Response(bytes(from, to), {{ status: 206, headers }});
        }};"#
    ))
    .unwrap();
}

fn asked() -> Vec<String> {
    let list = Reflect::get(&js_sys::global(), &"asked".into()).unwrap();
    js_sys::Array::from(&list).iter().filter_map(|item| item.as_string()).collect()
}

fn bytes(from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(|i| (i % 251) as u8).collect()
}

async fn open() -> Result<Option<FetchSource>> {
    FetchSource::open("x", "https://models.test/x", None).await
}

const LONG: u32 = 1_000_000;

#[wasm_bindgen_test]
async fn ranges_are_asked_for_and_the_beginning_only_once() {
    for mode in ["range", "hidden", "flaky", "busy"] {
        serve(mode, LONG);
        let source = open().await.unwrap().unwrap();
        assert_eq!((source.name(), source.len()), ("x", u64::from(LONG)));
        let opening = asked().len();
        assert_eq!(source.read(1000, 50).await.unwrap(), bytes(1000, 50));
        assert_eq!(asked().len(), opening);
        assert_eq!(source.read(600_000, 7).await.unwrap(), bytes(600_000, 7));
        assert_eq!(source.read(u64::from(LONG) - 1, 1).await.unwrap(), bytes(LONG as usize - 1, 1));
        assert_eq!(asked()[opening], "GET https://models.test/x bytes=600000-600006");
        let error = source.read(u64::from(LONG) - 1, 2).await.unwrap_err();
        assert_eq!(error.code(), Code::FileCorrupt);
    }
}

#[wasm_bindgen_test]
async fn a_server_without_ranges_is_borne_for_short_files() {
    serve("whole", 100_000);
    let source = open().await.unwrap().unwrap();
    assert_eq!(source.len(), 100_000);
    assert_eq!(source.read(90_000, 10_000).await.unwrap(), bytes(90_000, 10_000));
    assert_eq!(asked().len(), 1);
    for mode in ["whole", "told"] {
        serve(mode, WHOLE_LIMIT as u32 + 1);
        let error = open().await.unwrap_err();
        assert_eq!(error.code(), Code::Network);
        assert!(error.message().contains("Range"), "{error}");
    }
}

#[wasm_bindgen_test]
async fn other_answers_say_what_they_are() {
    for mode in ["missing", "page"] {
        serve(mode, LONG);
        assert!(open().await.unwrap().is_none(), "{mode}");
    }
    serve("denied", LONG);
    let error = open().await.unwrap_err();
    assert!(error.code() == Code::Network && error.message().contains("403"), "{error}");
    serve("range", 0);
    assert_eq!(open().await.unwrap().unwrap().len(), 0);
    for (mode, code) in [("short", Code::FileCorrupt), ("more", Code::Network), ("replaced", Code::Network)] {
        serve(mode, LONG);
        let source = open().await.unwrap().unwrap();
        assert_eq!(source.read(600_000, 7).await.unwrap_err().code(), code, "{mode}");
    }
}

#[wasm_bindgen_test]
async fn an_aborted_signal_stops_it() {
    serve("range", LONG);
    let signal: AbortSignal =
        eval("globalThis.stop = new AbortController(); stop.signal").unwrap().dyn_into().unwrap();
    let source =
        FetchSource::open("x", "https://models.test/x", Some(signal.clone())).await.unwrap().unwrap();
    eval("stop.abort()").unwrap();
    assert_eq!(source.read(0, 1).await.unwrap_err().code(), Code::Aborted);
    assert_eq!(source.read(600_000, 1).await.unwrap_err().code(), Code::Aborted);
    let again = FetchSource::open("x", "https://models.test/x", Some(signal)).await;
    assert_eq!(again.unwrap_err().code(), Code::Aborted);
}

#[wasm_bindgen_test]
async fn directories_and_files_have_urls() {
    serve("range", 10);
    for (url, file, asks) in [
        ("https://h.test/m", "config.json", "https://h.test/m/config.json"),
        ("https://h.test/m/", "config.json", "https://h.test/m/config.json"),
        ("https://h.test/m?a=b", "config.json", "https://h.test/m/config.json?a=b"),
        ("https://h.test/m/x.gguf?a=b#c", "x.gguf", "https://h.test/m/x.gguf?a=b"),
    ] {
        serve("range", 10);
        let dir = FetchDir::new(url, None);
        assert!(dir.open(file).await.unwrap().is_some());
        assert_eq!(asked(), [format!("GET {asks} bytes=0-262143")]);
    }
    let single = FetchDir::new("https://h.test/m/x.gguf", None);
    let listed = Listed { name: "x.gguf".to_owned(), size: None };
    assert_eq!((single.name(), single.listing()), ("x.gguf", Some(vec![listed])));
    assert!(single.open("config.json").await.unwrap().is_none());
    assert!(FetchDir::new("https://h.test/m", None).open("../x").await.is_err());
}

#[wasm_bindgen_test]
async fn blobs_are_read_by_slices() {
    let blob: Blob =
        eval("new Blob([Uint8Array.from({ length: 1000 }, (_, i) => i % 251)])").unwrap().dyn_into().unwrap();
    let source = BlobSource::new("x", blob);
    assert_eq!(source.len(), 1000);
    assert_eq!(source.read(300, 400).await.unwrap(), bytes(300, 400));
    assert_eq!(source.read(1000, 0).await.unwrap(), b"");
    assert_eq!(source.read(999, 2).await.unwrap_err().code(), Code::FileCorrupt);

    let header = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let file: Blob = eval(&format!(
        "new Blob([new Uint8Array([{}, 0, 0, 0, 0, 0, 0, 0]), '{header}', new Float32Array([2.5])])",
        header.len()
    ))
    .unwrap()
    .dyn_into()
    .unwrap();
    let dir = BlobDir::new("picked", [("folder/model.safetensors".to_owned(), file)]);
    let checkpoint = safetensors::parse(dir.open("model.safetensors").await.unwrap().unwrap()).await.unwrap();
    assert_eq!(checkpoint.read_f32(&checkpoint.tensors["a"], 0, 1).await.unwrap(), [2.5]);
    assert!(dir.open("config.json").await.unwrap().is_none());
}
