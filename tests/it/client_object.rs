//! A client-side object as one file: `name: value` lines of user metadata, an empty line, its
//! instruction file on one line, if any, and its body.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use strongroom::crypto::SecretKey;
use strongroom::sse::client_side::{
    AesKeyring, CommitmentPolicy, Description, Legacy, Metadata, OpeningKey, Reading, open_buffered,
};

/// Whether it opens under the AES key of tests/vectors/s3-client, legacy algorithms and all.
pub(crate) fn opens(bytes: &[u8]) -> bool {
    let mut lines = bytes.splitn(40, |byte| *byte == b'\n');
    let mut user_metadata = BTreeMap::new();
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let Ok(line) = std::str::from_utf8(line) else { return false };
        let Some((name, value)) = line.split_once(": ") else { return false };
        user_metadata.insert(name.to_owned(), value.to_owned());
    }
    let instruction = lines.next().filter(|line| !line.is_empty());
    let body = lines.collect::<Vec<_>>().join(&b'\n');
    let Ok(metadata) = Metadata::parse(&user_metadata, instruction) else { return false };
    let mut keyring = AesKeyring::new(SecretKey::from_bytes([0x42; 32]));
    let policy = CommitmentPolicy::RequireEncryptAllowDecrypt;
    let reading = Reading { policy, legacy: Legacy::Read };
    let key = at_once(OpeningKey::unwrap(&mut keyring, &metadata, reading, &Description::new()));
    key.is_ok_and(|key| at_once(open_buffered(body.as_slice(), &key, 1 << 20)).is_ok())
}

/// Nothing here waits: keyring and body are in memory.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("something waited"),
    }
}
