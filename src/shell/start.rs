//! What worker-build's entry point expects of a module: a state through which it learns of a panic, to begin anew with a
//! fresh instance. The crate `worker` would bring this, with 20 kB of classes that nothing here uses.

use std::panic;

use js_sys::Error;
use wasm_bindgen::handler::{schedule_reinit, set_on_abort};
use wasm_bindgen::prelude::*;
use web_sys::console;

#[wasm_bindgen(inline_js = "export const state = { criticalError: false, instanceId: 0 };")]
extern "C" {
    type State;

    #[wasm_bindgen(thread_local_v2, js_name = state)]
    static STATE: State;

    #[wasm_bindgen(method, setter, js_name = criticalError)]
    fn set_critical_error(this: &State, value: bool);

    #[wasm_bindgen(method, getter, js_name = instanceId)]
    fn instance_id(this: &State) -> u32;

    #[wasm_bindgen(method, setter, js_name = instanceId)]
    fn set_instance_id(this: &State, value: u32);
}

#[wasm_bindgen(start, private)]
fn start() {
    // A panic leaves the memory as it was in the middle of something: nothing more runs in it.
    panic::set_hook(Box::new(|panicked| {
        console::error_1(&Error::new(&panicked.to_string()).into());
        STATE.with(|state| state.set_critical_error(true));
    }));
    STATE.with(|state| state.set_instance_id(state.instance_id() + 1));
    set_on_abort(schedule_reinit);
}

/// Called by worker-build's entry point.
#[wasm_bindgen(js_name = "__worker_init_state")]
pub fn state() -> JsValue {
    STATE.with(|state| state.into())
}
