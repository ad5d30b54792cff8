//! When a key was last used, as the trail has it.
//!
//! Source: AWS KMS API Reference, `GetKeyLastUsage`.

use super::Error;
use super::operation::{Circumstances, Executed, Operation, Rooms, Target, Weight};
use super::operations::Registered;
use super::permit::Permit;
use super::targets;
use crate::audit::{Event, Order, Query, aws_name};
use crate::kms::{self, GetKeyLastUsage, KeyLastUsage, Request, Usage};

/// This file's part of the register.
pub(super) const LAST_USAGE: &[Registered] = &[Registered {
    actions: &[GetKeyLastUsage::ACTION],
    ..Registered::of::<GetKeyLastUsage>(GetKeyLastUsage::ABOUT)
}];

impl Operation for GetKeyLastUsage {
    type Output = KeyLastUsage;
    const NAME: &'static str = "GetKeyLastUsage";
    const ACTION: &'static str = "kms:GetKeyLastUsage";
    const READ_ONLY: bool = true;

    fn weight(&self) -> Weight {
        Weight::Heavy
    }

    fn violations(&self) -> kms::Violations {
        Request::violations(self)
    }

    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        Ok(vec![targets::key(rooms, at, &self.key_id)?.named(Self::ACTION)])
    }

    fn execute(
        &self,
        rooms: &Rooms,
        at: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<KeyLastUsage>, Error> {
        let found = rooms.keys.find_key(&at.call(), &self.key_id)?;
        let key = &found.entry.key;
        let mut query = Query {
            key: Some(key.arn()),
            outcome: Some("success".to_owned()),
            order: Order::NewestFirst,
            ..Query::default()
        };
        let last = loop {
            let page = rooms.log.query(&query)?;
            if let Some(usage) = page.records.into_iter().find_map(|record| usage(record.event)) {
                break Some(usage);
            }
            query.page_token = page.next;
            if query.page_token.is_none() {
                break None;
            }
        };
        let output = KeyLastUsage { key_id: key.arn(), last, creation_date: key.created };
        let mut executed = Executed::read(output);
        executed.key = Some(key.arn());
        Ok(executed)
    }

    fn record(&self, event: &mut Event) {
        event.parameters.insert("key_id".to_owned(), self.key_id.as_str().into());
    }
}

/// The use that a record tells of, under AWS's name for it.
fn usage(event: Event) -> Option<Usage> {
    let operation = aws_name(&event.operation).to_owned();
    if !TRACKED.contains(&operation.as_str()) {
        return None;
    }
    Some(Usage { operation, timestamp: event.time, request_id: event.request_id })
}

/// API reference, `KeyLastUsageData`.
const TRACKED: [&str; 14] = [
    "Decrypt",
    "DeriveSharedSecret",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "ReEncrypt",
    "Sign",
    "Verify",
    "VerifyMac",
    "Encapsulate",
    "Decapsulate",
];
