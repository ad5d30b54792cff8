#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = strongroom::audit::files::count_entries(data);
});
