#![no_main]
const KEY: &str = include_str!("../../tests/vectors/note/verifier");

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = strongroom::audit::Checkpoint::open(data, KEY.trim());
});
