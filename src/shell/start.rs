//! What worker-build's entry point expects of a module: a state through which it learns of a panic. The crate `worker` would
//! bring this, with 17 kB of classes that nothing here uses.

use std::panic;

use wasm_bindgen::handler::{schedule_reinit, set_on_abort};
use wasm_bindgen::prelude::*;

use super::js;

#[wasm_bindgen(start, private)]
fn start() {
    // A panic leaves the memory as it was in the middle of something: nothing more runs in it.
    panic::set_hook(Box::new(|panicked| js::panicked(&panicked.to_string())));
    js::started();
    set_on_abort(schedule_reinit);
}

/// Called by worker-build's entry point.
#[wasm_bindgen(js_name = "__worker_init_state")]
pub fn state() -> JsValue {
    js::state()
}
