#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(key) = strongroom::audit::CosignatureKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
});
