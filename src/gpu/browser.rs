//! Requests from a browser what wgpu 30 cannot request: the feature `subgroups`, and WebGPU's compatibility mode.
//!
//! `subgroups` is missing from wgpu's table of WebGPU features (<https://github.com/gfx-rs/wgpu/issues/10146>), and its options for an
//! adapter have no feature level. It passes WGSL to the browser unparsed, so nothing else is missing. When wgpu supports both, this
//! module can be removed.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Proxy, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

const FEATURE: &str = "subgroups";

/// Calls `request`, which calls the browser's `GPUAdapter.requestDevice`. During this call, that method adds the feature to the
/// required ones if the adapter offers it. Also returns whether it was added.
pub(super) fn with_subgroups<T>(request: impl FnOnce() -> T) -> (T, bool) {
    let offered = Rc::new(Cell::new(false));
    let seen = offered.clone();
    let change = move |adapter: &JsValue, arguments: &Array| seen.set(add(adapter, arguments).is_some());
    let result = intercept(["GPUAdapter", "requestDevice"], change, request);
    (result, offered.get())
}

/// Calls `request`, which calls the browser's `GPU.requestAdapter`. During this call, that method asks for the compatibility mode,
/// which also has the GPUs that only have OpenGL ES 3.1, such as those of older phones.
pub(super) fn in_compatibility_mode<T>(request: impl FnOnce() -> T) -> T {
    let change = |_: &JsValue, arguments: &Array| {
        let _ = Reflect::set(&arguments.get(0), &"featureLevel".into(), &"compatibility".into());
    };
    intercept(["GPU", "requestAdapter"], change, request)
}

/// Calls `request`. Meanwhile, `change` may change the arguments of a browser's method, which it receives after the object.
fn intercept<T>(
    [class, method]: [&str; 2],
    change: impl Fn(&JsValue, &Array) + 'static,
    request: impl FnOnce() -> T,
) -> T {
    let apply = move |called: Function, object: JsValue, arguments: Array| {
        change(&object, &arguments);
        Reflect::apply(&called, &object, &arguments)
    };
    let apply = Closure::<dyn FnMut(Function, JsValue, Array) -> Result<JsValue, JsValue>>::new(apply);
    let replaced = replace([class, method], apply.as_ref());
    let result = request();
    if let Some((prototype, original)) = replaced {
        let _ = Reflect::set(&prototype, &method.into(), &original);
    }
    result
}

/// Replaces the method by a proxy that passes calls to `apply` together with their object, which a plain function would not receive.
fn replace([class, method]: [&str; 2], apply: &JsValue) -> Option<(JsValue, Function)> {
    let class = get(&js_sys::global(), class)?;
    let prototype = get(&class, "prototype")?;
    let original: Function = get(&prototype, method)?.dyn_into().ok()?;
    let handler = Object::new();
    Reflect::set(&handler, &"apply".into(), apply).ok()?;
    Reflect::set(&prototype, &method.into(), &Proxy::new(&original, &handler)).ok()?;
    Some((prototype, original))
}

/// Adds the feature to the `requiredFeatures` of a call, if the adapter offers it.
fn add(adapter: &JsValue, arguments: &Array) -> Option<()> {
    let features = get(adapter, "features")?;
    let has: Function = get(&features, "has")?.dyn_into().ok()?;
    has.call1(&features, &FEATURE.into()).ok().filter(JsValue::is_truthy)?;
    let required: Array = get(&arguments.get(0), "requiredFeatures")?.dyn_into().ok()?;
    // In case wgpu requests it as well.
    if !required.includes(&FEATURE.into(), 0) {
        required.push(&FEATURE.into());
    }
    Some(())
}

fn get(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &name.into()).ok()
}
