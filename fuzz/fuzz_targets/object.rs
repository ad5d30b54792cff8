#![no_main]
use strongroom::{crypto::SecretKey, sse::{ObjectName, open_bytes}};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let name = ObjectName { bucket: "bucket".into(), name: "a/b".into() };
    let _ = open_bytes(&SecretKey::from_bytes([7; 32]), &name, data);
});
