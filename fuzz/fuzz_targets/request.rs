#![no_main]
use libfuzzer_sys::fuzz_target;
use strongroom::transport::aws_json::{TRANSLATED, reads};

// The first byte picks the operation.
fuzz_target!(|bytes: &[u8]| {
    let Some((first, body)) = bytes.split_first() else { return };
    let _ = reads(TRANSLATED[usize::from(*first) % TRANSLATED.len()], body);
});
