//! Requests the feature `subgroups` from a browser.
//!
//! wgpu 30 cannot do so, because this feature is missing from its table of WebGPU features
//! (<https://github.com/gfx-rs/wgpu/issues/10146>). It passes WGSL to the browser unparsed, so nothing else is missing. When wgpu
//! supports the feature, this module can be removed.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Proxy, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

const FEATURE: &str = "subgroups";
const METHOD: &str = "requestDevice";

/// Calls `request`, which calls the browser's `GPUAdapter.requestDevice`. During this call, that method adds the feature to the
/// required ones if the adapter offers it. Also returns whether it was added.
pub(super) fn added<T>(request: impl FnOnce() -> T) -> (T, bool) {
    let offered = Rc::new(Cell::new(false));
    let seen = offered.clone();
    let apply = move |method: Function, adapter: JsValue, arguments: Array| {
        seen.set(add(&adapter, &arguments).is_some());
        Reflect::apply(&method, &adapter, &arguments)
    };
    let apply = Closure::<dyn FnMut(Function, JsValue, Array) -> Result<JsValue, JsValue>>::new(apply);
    let replaced = replace(apply.as_ref());
    let result = request();
    if let Some((prototype, method)) = replaced {
        let _ = Reflect::set(&prototype, &METHOD.into(), &method);
    }
    (result, offered.get())
}

/// Replaces the method by a proxy that passes calls to `apply` together with their adapter, which a plain function would not receive.
fn replace(apply: &JsValue) -> Option<(JsValue, Function)> {
    let class = get(&js_sys::global(), "GPUAdapter")?;
    let prototype = get(&class, "prototype")?;
    let method: Function = get(&prototype, METHOD)?.dyn_into().ok()?;
    let handler = Object::new();
    Reflect::set(&handler, &"apply".into(), apply).ok()?;
    Reflect::set(&prototype, &METHOD.into(), &Proxy::new(&method, &handler)).ok()?;
    Some((prototype, method))
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
