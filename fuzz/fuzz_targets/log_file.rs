#![no_main]
use strongroom::audit::files::LogFile;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Some(file) = LogFile::parse(text) {
        assert_eq!(file.path(), text);
    }
});
