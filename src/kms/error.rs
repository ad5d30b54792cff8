//! Refusals, one variant an AWS exception, in AWS's words where they are known.

/// Why an operation on keys was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `AlreadyExistsException`
    #[error("An alias with the name {0} already exists")]
    AlreadyExists(String),
    /// `DryRunOperationException`: what was asked of a key without its ciphertext would succeed.
    #[error("The request would have succeeded, but the DryRun option is set.")]
    DryRun,
    /// `DisabledException`
    #[error("{0} is disabled.")]
    Disabled(String),
    /// `ExpiredImportTokenException`
    #[error("The import token has expired.")]
    ExpiredImportToken,
    /// `AccessDeniedException`: another account's key or alias that does not exist, of which the caller
    /// learns no more than of one that is closed to it.
    #[error("there is no such key in the other account")]
    Hidden,
    /// `IncorrectKeyMaterialException`
    #[error("The key material in the request is not what was expected for this KMS key.")]
    IncorrectKeyMaterial,
    /// `InvalidImportTokenException`
    #[error("The import token is not one of this KMS key.")]
    InvalidImportToken,
    /// `IncorrectKeyException`
    #[error("The key ID in the request does not identify a CMK that can perform this operation.")]
    IncorrectKey,
    /// `KMSInternalException`: the random source failed.
    #[error("The request was rejected because an internal exception occurred.")]
    Internal,
    /// `InvalidAliasNameException`
    #[error("{0}")]
    InvalidAliasName(&'static str),
    /// `InvalidArnException`
    #[error("Invalid arn {0}")]
    InvalidArn(String),
    /// `InvalidCiphertextException`: whatever is wrong with a blob or its context.
    #[error("the ciphertext is invalid, or its encryption context is another one")]
    InvalidCiphertext,
    /// `InvalidGrantIdException`
    #[error("The grant ID is not valid.")]
    InvalidGrantId,
    /// `InvalidGrantTokenException`
    #[error("The grant token is not valid.")]
    InvalidGrantToken,
    /// `InvalidKeyUsageException`
    #[error("{0}")]
    InvalidKeyUsage(String),
    /// `KMSInvalidMacException`
    #[error("The HMAC is not that of the message under this key and algorithm.")]
    InvalidMac,
    /// `InvalidMarkerException`
    #[error("The marker is not valid for this list.")]
    InvalidMarker,
    /// `KMSInvalidSignatureException`
    #[error("The signature is not that of the message under this key and algorithm.")]
    InvalidSignature,
    /// `KMSInvalidStateException`
    #[error("{arn} is {state}.")]
    InvalidState {
        /// The key.
        arn: String,
        /// As AWS words it: `pending deletion`.
        state: &'static str,
    },
    /// `AlreadyExistsException`
    #[error("{0} already exists")]
    KeyExists(String),
    /// `LimitExceededException`
    #[error("{0}")]
    LimitExceeded(String),
    /// `MalformedPolicyDocumentException`
    #[error("{0}")]
    MalformedPolicy(String),
    /// `NotFoundException`: the alias of a managed key that is made when it is named first.
    #[error("Alias {arn} is not found.")]
    ManagedKeyMissing {
        /// The alias's ARN.
        arn: String,
        /// The alias.
        name: String,
    },
    /// `NotFoundException`
    #[error("{0}")]
    NotFound(String),
    /// `TagException`
    #[error("{0}")]
    Tag(&'static str),
    /// `UnsupportedOperationException`
    #[error("{0}")]
    Unsupported(String),
    /// `ValidationException`
    #[error("{0}")]
    Validation(String),
}

impl Error {
    /// A violated constraint, in the wording of AWS's front end.
    #[must_use]
    pub fn constraint(value: &str, member: &str, constraint: &str) -> Self {
        let shown: String = value.chars().take(256).collect();
        Self::Validation(format!(
            "1 validation error detected: Value '{shown}' at '{member}' failed to satisfy \
             constraint: {constraint}"
        ))
    }

    /// A member that is missing.
    #[must_use]
    pub fn null(member: &str) -> Self {
        Self::Validation(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: \
             Member must not be null"
        ))
    }

    /// A violated constraint on bytes, which are never shown.
    #[must_use]
    pub fn length(member: &str, constraint: &str) -> Self {
        Self::Validation(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: \
             {constraint}"
        ))
    }
}

impl From<crate::crypto::Error> for Error {
    /// Only generating and sealing fail this way; opening has an error of its own.
    fn from(_: crate::crypto::Error) -> Self {
        Self::Internal
    }
}
