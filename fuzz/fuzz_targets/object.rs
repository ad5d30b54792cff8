#![no_main]
use strongroom::{crypto::SecretKey, sse::{ObjectName, OpeningKeys, open_bytes}};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let name = ObjectName { bucket: "bucket".into(), name: "a/b".into() };
    let [one, two] = [7, 8].map(|byte| SecretKey::from_bytes([byte; 32]));
    let _ = open_bytes(&OpeningKeys::One(&one), &name, data);
    let _ = open_bytes(&OpeningKeys::Two(&one, &two), &name, data);
});
