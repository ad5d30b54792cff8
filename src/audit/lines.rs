//! What C2SP's texts are made of: numbers in their one form, and hashes in base64, a line each.
//!
//! Sources: C2SP tlog-checkpoint, tlog-proof, tlog-witness.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A number in decimal, without a sign or leading zeros.
pub(super) fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A hash of a tree.
pub(super) fn hash(line: &str) -> Option<[u8; 32]> {
    STANDARD.decode(line).ok()?.try_into().ok()
}

/// Writes hashes, a line each.
pub(super) fn push_hashes(text: &mut String, hashes: &[[u8; 32]]) {
    for hash in hashes {
        STANDARD.encode_string(hash, text);
        text.push('\n');
    }
}
