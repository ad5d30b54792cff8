#![no_main]
use strongroom::sse::{Arrival, BucketEncryption, Encryption, Headers};

libfuzzer_sys::fuzz_target!(|data: &str| {
    let here = Arrival { secure: true, signature_v4: true, region: "us-east-1" };
    let Ok(headers) = Headers::collect(data.lines().filter_map(|line| line.split_once(':'))) else { return };
    let _ = Encryption::for_writing(&headers, &BucketEncryption::default(), here);
});
