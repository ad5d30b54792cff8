#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(request) = strongroom::audit::AddCheckpoint::parse(data) {
        assert_eq!(request.encode(), data);
    }
});
