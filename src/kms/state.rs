//! Key states, and the one table of what each allows.
//!
//! Source: AWS KMS Developer Guide, "Key states of AWS KMS keys".

use super::Error;

/// The state of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub enum KeyState {
    /// Usable.
    Enabled,
    /// Kept, not usable.
    Disabled,
    /// Waiting to be removed.
    PendingDeletion,
    /// Waiting for its replicas to be removed, and then to be removed itself.
    PendingReplicaDeletion,
    /// Waiting for its material.
    PendingImport,
}

/// What is about to be done to a key, as far as its state matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// `CancelKeyDeletion`
    CancelDeletion,
    /// Change of what is said of the key: description, tags, aliases pointed at it.
    Describe,
    /// `DisableKey`
    Disable,
    /// `EnableKey`
    Enable,
    /// `ImportKeyMaterial`, and the parameters for it.
    Import,
    /// `PutKeyPolicy`
    PutPolicy,
    /// Reading: `DescribeKey`, lists.
    Read,
    /// `DeleteImportedKeyMaterial`
    RemoveMaterial,
    /// `RotateKeyOnDemand`
    Rotate,
    /// `ScheduleKeyDeletion`
    ScheduleDeletion,
    /// Any cryptographic use.
    Use,
}

impl KeyState {
    /// As AWS spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion => "PendingDeletion",
            Self::PendingReplicaDeletion => "PendingReplicaDeletion",
            Self::PendingImport => "PendingImport",
        }
    }

    /// Whether a key in this state lets `act` be done to it.
    ///
    /// # Errors
    /// [`Error::Disabled`] or [`Error::InvalidState`], as AWS answers.
    pub fn permits(self, act: Act, arn: &str) -> Result<(), Error> {
        let pending = || Error::InvalidState { arn: arn.to_owned(), state: "pending deletion" };
        match (self, act) {
            (_, Act::PutPolicy | Act::Read | Act::RemoveMaterial)
            | (
                Self::Enabled,
                Act::Describe | Act::Disable | Act::Enable | Act::Import | Act::Rotate | Act::Use,
            )
            | (Self::Disabled, Act::Describe | Act::Disable | Act::Enable | Act::Import)
            | (Self::PendingImport, Act::Describe | Act::Import)
            | (Self::Enabled | Self::Disabled | Self::PendingImport, Act::ScheduleDeletion)
            | (Self::PendingDeletion | Self::PendingReplicaDeletion, Act::CancelDeletion) => Ok(()),
            (Self::Disabled, Act::Rotate | Act::Use) => Err(Error::Disabled(arn.to_owned())),
            (Self::PendingImport, Act::Disable | Act::Enable | Act::Rotate | Act::Use) => {
                Err(Error::InvalidState { arn: arn.to_owned(), state: "pending import" })
            }
            (Self::Enabled | Self::Disabled | Self::PendingImport, Act::CancelDeletion) => {
                Err(Error::InvalidState { arn: arn.to_owned(), state: "not pending deletion" })
            }
            (
                Self::PendingDeletion | Self::PendingReplicaDeletion,
                Act::Describe
                | Act::Disable
                | Act::Enable
                | Act::Import
                | Act::Rotate
                | Act::ScheduleDeletion
                | Act::Use,
            ) => Err(pending()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTS: [Act; 11] = [
        Act::CancelDeletion,
        Act::Describe,
        Act::Disable,
        Act::Enable,
        Act::Import,
        Act::PutPolicy,
        Act::Read,
        Act::RemoveMaterial,
        Act::Rotate,
        Act::ScheduleDeletion,
        Act::Use,
    ];

    /// AWS KMS Developer Guide, "Key states of AWS KMS keys": y allowed, d `DisabledException`,
    /// s `KMSInvalidStateException`; columns as in `ACTS`.
    #[test]
    fn the_table_is_that_of_the_developer_guide() {
        let rows = [
            (KeyState::Enabled, "syyyyyyyyyy"),
            (KeyState::Disabled, "syyyyyyydyd"),
            (KeyState::PendingDeletion, "yssssyyysss"),
            (KeyState::PendingReplicaDeletion, "yssssyyysss"),
            (KeyState::PendingImport, "syssyyyysys"),
        ];
        for (state, row) in rows {
            for (act, expected) in ACTS.into_iter().zip(row.chars()) {
                let found = match state.permits(act, "arn") {
                    Ok(()) => 'y',
                    Err(Error::Disabled(_)) => 'd',
                    Err(Error::InvalidState { .. }) => 's',
                    Err(other) => panic!("{other}"),
                };
                assert_eq!(found, expected, "{state:?} {act:?}");
            }
        }
    }
}
