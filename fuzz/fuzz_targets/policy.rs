#![no_main]
#[path = "../../tests/it/policy_call.rs"]
mod policy_call;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = policy_call::decisions(text);
});
