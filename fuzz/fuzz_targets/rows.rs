//! Any bytes as result rows: nothing panics, and the invariants hold.

#![no_main]

#[expect(dead_code, reason = "each target is one kind of input")]
#[path = "../../crates/formats/examples/fuzz/checks.rs"]
mod checks;

use checks::{Kind, check};
use libfuzzer_sys::fuzz_target;
use podium_formats::help::HelpSet;

fuzz_target!(|input: &[u8]| {
    if let Err(broken) = check(Kind::Rows, input, &HelpSet::default()) {
        panic!("{broken}");
    }
});
