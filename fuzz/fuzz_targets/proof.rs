#![no_main]
const KEY: &str = include_str!("../../tests/vectors/proof/verifier");

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(proof) = strongroom::audit::ProofFile::parse(data) {
        let _ = proof.verify(b"entry 5", KEY.trim());
    }
});
