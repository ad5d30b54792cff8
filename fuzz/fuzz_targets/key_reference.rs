#![no_main]

libfuzzer_sys::fuzz_target!(|data: &str| {
    let _ = strongroom::kms::id::KeyReference::parse(data);
});
