//! One request type an operation: AWS's members in snake case, values as they were presented. Room
//! functions check them; secrets among them are [`Plaintext`](crate::crypto::Plaintext).
//!
//! Source: AWS KMS API Reference, "Actions".
//!
//! | file | noun |
//! |---|---|
//! | `keys.rs` | requests about the life of keys, their aliases and tags |
//! | `data_keys.rs` | requests that use keys |
//! | `access.rs` | requests about policies and grants |

mod access;
mod data_keys;
mod keys;

pub use access::*;
pub use data_keys::*;
pub use keys::*;

use std::collections::BTreeMap;

use super::conditions::Known;
use super::violations::Violations;

/// Names and values that are authenticated with a ciphertext.
pub type EncryptionContext = BTreeMap<String, String>;

/// An enclave that a plaintext is to be encrypted to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipient {
    /// `RSAES_OAEP_SHA_256`
    pub key_encryption_algorithm: Option<String>,
    /// Up to 262,144 bytes.
    pub attestation_document: Option<Vec<u8>>,
}

/// A request, and what a successful call answers.
pub trait Request {
    /// The answer.
    type Output: Send + 'static;

    /// What the operation does, in a sentence.
    const ABOUT: &'static str;

    /// What the model of the API forbids about the request as it is.
    fn violations(&self) -> Violations;

    /// Puts down what conditions of policies see of the request, when it asks for `action`.
    fn observe(&self, action: &str, known: &mut Known);
}

macro_rules! requests {
    ($(
        $(#[doc = $about:literal])+
        $request:ident { $($(#[$field_about:meta])* $field:ident: $kind:ty),* $(,)? } => $output:ty;
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Debug, Default)]
        pub struct $request { $($(#[$field_about])* pub $field: $kind),* }

        impl Request for $request {
            type Output = $output;

            const ABOUT: &'static str = concat!($($about),+);

            fn violations(&self) -> Violations {
                let mut found = Violations::default();
                $(found.check(stringify!($request), stringify!($field), &self.$field);)*
                found
            }

            fn observe(&self, action: &str, known: &mut Known) {
                $(known.member(stringify!($request), action, stringify!($field), &self.$field);)*
                let _ = (action, known);
            }
        }
    )+};
}

use requests;
