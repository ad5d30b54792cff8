#![no_main]
use strongroom::{crypto::SecretKey, kms::blob::CiphertextBlob};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(blob) = CiphertextBlob::parse(data) {
        let _ = blob.open(&SecretKey::from_bytes([7; 32]), b"");
    }
});
