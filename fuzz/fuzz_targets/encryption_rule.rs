#![no_main]

libfuzzer_sys::fuzz_target!(|document: &[u8]| {
    let _ = strongroom::transport::s3::read_encryption(document);
});
