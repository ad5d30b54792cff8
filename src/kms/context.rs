//! The encryption context: a map that is authenticated with a ciphertext and not stored in it.
//!
//! Encoded as associated data: number of pairs (u16), then for each pair in byte order of its name
//! length (u32) ‖ name ‖ length (u32) ‖ value, all big-endian. Order therefore never matters, and
//! no two maps encode alike. AWS bounds the whole at 8,192 characters (API reference, `Encrypt`).

use std::collections::BTreeMap;

use super::Error;

/// Bytes of all names and values together at the most.
pub const MAX_BYTES: usize = 8192;

/// Encodes a context as associated data.
///
/// # Errors
/// [`Error::Validation`] when names and values together exceed [`MAX_BYTES`] or a name is empty.
pub fn encode(context: &BTreeMap<String, String>) -> Result<Vec<u8>, Error> {
    let total: usize = context.iter().map(|(name, value)| name.len() + value.len()).sum();
    if total > MAX_BYTES || context.len() > MAX_BYTES {
        return Err(Error::length(
            "encryptionContext",
            "names and values together must not exceed 8192 bytes",
        ));
    }
    if context.keys().any(String::is_empty) {
        return Err(Error::length("encryptionContext", "a name must not be empty"));
    }
    let mut out = Vec::with_capacity(2 + total + 8 * context.len());
    let count = u16::try_from(context.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    for text in context.iter().flat_map(|(name, value)| [name, value]) {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_encoding_is_the_documented_one() {
        let context = BTreeMap::from([("b".to_owned(), "2".to_owned()), ("a".into(), "".into())]);
        let expected = "0002 00000001 61 00000000 00000001 62 00000001 32".replace(' ', "");
        assert_eq!(hex::encode(encode(&context).unwrap()), expected);
    }

    #[test]
    fn a_context_too_large_or_without_a_name_is_refused() {
        let fits = BTreeMap::from([("n".to_owned(), "v".repeat(MAX_BYTES - 1))]);
        assert!(encode(&fits).is_ok());
        let over = BTreeMap::from([("n".to_owned(), "v".repeat(MAX_BYTES))]);
        assert!(matches!(encode(&over), Err(Error::Validation(_))));
        let unnamed = BTreeMap::from([(String::new(), "v".to_owned())]);
        assert!(matches!(encode(&unnamed), Err(Error::Validation(_))));
    }

    proptest! {
        #[test]
        fn two_contexts_encode_alike_only_when_equal(
            one in prop::collection::btree_map("[a-c]{1,3}", "[a-c]{0,3}", 0..4),
            two in prop::collection::btree_map("[a-c]{1,3}", "[a-c]{0,3}", 0..4),
        ) {
            prop_assert_eq!(encode(&one).unwrap() == encode(&two).unwrap(), one == two);
        }
    }
}
