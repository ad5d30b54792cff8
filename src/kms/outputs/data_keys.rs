//! The use of keys: what operations answer.

use crate::crypto::Plaintext;

/// Answer of `GenerateDataKeyPair` and, without the plaintext, of
/// `GenerateDataKeyPairWithoutPlaintext`.
#[derive(Debug)]
pub struct DataKeyPair {
    /// ARN of the key that wrapped.
    pub key_id: String,
    /// The version that wrapped.
    pub key_version: u32,
    /// Names that version's material; none for key pairs.
    pub key_material_id: Option<String>,
    /// What the pair is.
    pub key_pair_spec: &'static str,
    /// SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
    /// PKCS #8, DER.
    pub private_key_plaintext: Option<Plaintext>,
    /// The same, wrapped.
    pub private_key_ciphertext_blob: Vec<u8>,
}

/// Answer of `Decapsulate`.
#[derive(Debug)]
pub struct DecapsulateOutput {
    /// The key's ARN.
    pub key_id: String,
    /// 32 bytes.
    pub shared_secret: Plaintext,
    /// `ML_KEM`
    pub encapsulation_algorithm: &'static str,
}

/// Answer of `Decrypt` and `UnwrapDataKey`.
#[derive(Debug)]
pub struct DecryptOutput {
    /// The key's ARN.
    pub key_id: String,
    /// The version that the blob named.
    pub key_version: u32,
    /// Names that version's material; none for key pairs.
    pub key_material_id: Option<String>,
    /// What was encrypted.
    pub plaintext: Plaintext,
    /// `SYMMETRIC_DEFAULT`; of an RSA key `RSAES_OAEP_SHA_1` or `RSAES_OAEP_SHA_256`.
    pub encryption_algorithm: &'static str,
}

/// Answer of `DeriveSharedSecret`.
#[derive(Debug)]
pub struct DeriveSharedSecretOutput {
    /// The key's ARN.
    pub key_id: String,
    /// As long as the curve's field.
    pub shared_secret: Plaintext,
    /// `ECDH`
    pub key_agreement_algorithm: &'static str,
    /// `AWS_KMS` or `EXTERNAL`.
    pub key_origin: &'static str,
}

/// Answer of `Encapsulate`.
#[derive(Debug)]
pub struct EncapsulateOutput {
    /// The key's ARN.
    pub key_id: String,
    /// 32 bytes.
    pub shared_secret: Plaintext,
    /// What `Decapsulate` takes.
    pub shared_secret_ciphertext_blob: Vec<u8>,
    /// `ML_KEM`
    pub encapsulation_algorithm: &'static str,
}

/// Answer of `Encrypt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptOutput {
    /// The key's ARN.
    pub key_id: String,
    /// The version that encrypted.
    pub key_version: u32,
    /// The blob.
    pub ciphertext_blob: Vec<u8>,
    /// `SYMMETRIC_DEFAULT`; of an RSA key `RSAES_OAEP_SHA_1` or `RSAES_OAEP_SHA_256`.
    pub encryption_algorithm: &'static str,
}

/// Answer of `GenerateDataKey`.
#[derive(Debug)]
pub struct GenerateDataKeyOutput {
    /// The key's ARN, also when an alias was given.
    pub key_id: String,
    /// The version that wrapped.
    pub key_version: u32,
    /// Names that version's material; none for key pairs.
    pub key_material_id: Option<String>,
    /// To use and forget.
    pub plaintext: Plaintext,
    /// To keep beside the data.
    pub ciphertext_blob: Vec<u8>,
}

/// Answer of `GenerateMac`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateMacOutput {
    /// The key's ARN.
    pub key_id: String,
    /// The code.
    pub mac: Vec<u8>,
    /// As asked for.
    pub mac_algorithm: &'static str,
}

/// Answer of `ReEncrypt` and `RewrapDataKey`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReEncryptOutput {
    /// The new blob.
    pub ciphertext_blob: Vec<u8>,
    /// ARN of the key that opened.
    pub source_key_id: String,
    /// The version that opened.
    pub source_key_version: u32,
    /// Names that version's material; none for key pairs.
    pub source_key_material_id: Option<String>,
    /// ARN of the key that sealed.
    pub key_id: String,
    /// The version that sealed.
    pub key_version: u32,
    /// Names that version's material; none for key pairs.
    pub key_material_id: Option<String>,
    /// How the source was encrypted.
    pub source_encryption_algorithm: &'static str,
    /// How the result is.
    pub destination_encryption_algorithm: &'static str,
}

/// Answer of `Sign`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOutput {
    /// The key's ARN.
    pub key_id: String,
    /// DER for ECDSA, as long as the modulus for RSA.
    pub signature: Vec<u8>,
    /// As asked for.
    pub signing_algorithm: &'static str,
}

/// Answer of `VerifyMac`: the code is the message's, or there is an error instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyMacOutput {
    /// The key's ARN.
    pub key_id: String,
    /// As asked for.
    pub mac_algorithm: &'static str,
}

/// Answer of `Verify`: the signature is the message's, or there is an error instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyOutput {
    /// The key's ARN.
    pub key_id: String,
    /// As asked for.
    pub signing_algorithm: &'static str,
}

/// Answer of `GenerateDataKeyWithoutPlaintext` and `WrapDataKey`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedDataKey {
    /// The key's ARN.
    pub key_id: String,
    /// The version that wrapped.
    pub key_version: u32,
    /// Names that version's material; none for key pairs.
    pub key_material_id: Option<String>,
    /// To keep beside the data.
    pub ciphertext_blob: Vec<u8>,
}
