#![no_main]
#[path = "../../tests/it/client_object.rs"]
mod client_object;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = client_object::opens(data);
});
