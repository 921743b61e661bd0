//! What a module does once: it sees to it that a panic is told, and that nothing more runs in the memory that it leaves.

use std::panic;

use wasm_bindgen::handler::{schedule_reinit, set_on_abort};
use wasm_bindgen::prelude::*;

use super::js;

#[wasm_bindgen(start, private)]
fn start() {
    panic::set_hook(Box::new(|panicked| js::panicked(&panicked.to_string())));
    set_on_abort(schedule_reinit);
}
