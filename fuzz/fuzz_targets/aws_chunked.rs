#![no_main]

libfuzzer_sys::fuzz_target!(|data: (u16, u8, &[u8])| {
    let (length, piece, body) = data;
    let whole = strongroom::transport::s3::decoded(body, length.into(), body.len());
    assert_eq!(strongroom::transport::s3::decoded(body, length.into(), piece.into()), whole);
    assert!(whole.is_none_or(|(content, _)| content.len() == usize::from(length)));
});
