#![no_main]
const KEY: &str = include_str!("../../tests/vectors/note/verifier");

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(hand_overs) = strongroom::audit::HandOver::parse_all(data) {
        let _ = strongroom::audit::LogKeys::follow(KEY.trim(), &hand_overs);
    }
});
