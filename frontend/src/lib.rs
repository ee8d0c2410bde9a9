//! The browser entry point: it wakes the islands that the server rendered.
#![cfg(target_arch = "wasm32")]

// Without this the linker drops the islands: nothing here names them, the page looks them up by their exported names.
use podium_app as _;

/// Called by the page's start script once the module is loaded.
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}
