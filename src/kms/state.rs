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
    /// Reading: `DescribeKey`, lists.
    Read,
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
        }
    }

    /// Whether a key in this state lets `act` be done to it.
    ///
    /// # Errors
    /// [`Error::Disabled`] or [`Error::InvalidState`], as AWS answers.
    pub fn permits(self, act: Act, arn: &str) -> Result<(), Error> {
        let pending = || Error::InvalidState { arn: arn.to_owned(), state: "pending deletion" };
        match (self, act) {
            (_, Act::Read)
            | (
                Self::Enabled,
                Act::Describe | Act::Disable | Act::Enable | Act::Rotate | Act::Use,
            )
            | (Self::Disabled, Act::Describe | Act::Disable | Act::Enable)
            | (Self::Enabled | Self::Disabled, Act::ScheduleDeletion)
            | (Self::PendingDeletion, Act::CancelDeletion) => Ok(()),
            (Self::Disabled, Act::Rotate | Act::Use) => Err(Error::Disabled(arn.to_owned())),
            (Self::Enabled | Self::Disabled, Act::CancelDeletion) => {
                Err(Error::InvalidState { arn: arn.to_owned(), state: "not pending deletion" })
            }
            (
                Self::PendingDeletion,
                Act::Describe
                | Act::Disable
                | Act::Enable
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

    const ACTS: [Act; 8] = [
        Act::CancelDeletion,
        Act::Describe,
        Act::Disable,
        Act::Enable,
        Act::Read,
        Act::Rotate,
        Act::ScheduleDeletion,
        Act::Use,
    ];

    /// AWS KMS Developer Guide, "Key states of AWS KMS keys": y allowed, d `DisabledException`,
    /// s `KMSInvalidStateException`; columns as in `ACTS`.
    #[test]
    fn the_table_is_that_of_the_developer_guide() {
        let rows = [
            (KeyState::Enabled, "syyyyyyy"),
            (KeyState::Disabled, "syyyydyd"),
            (KeyState::PendingDeletion, "ysssysss"),
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
