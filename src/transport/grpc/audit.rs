//! `strongroom.v1.Audit`: one translation each way an operation.

use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt};
use prost_types::Timestamp;
use tonic::{Request, Response, Status};

use super::answer::{answer, status, timestamp};
use super::caller::caller_of;
use super::{given, limit};
use crate::audit::{self, HandOver, TreeName};
use crate::proto::v1;
use crate::proto::v1::audit_server::Audit;
use crate::service::{
    Error, Expect, GetCheckpoint, GetConsistencyProof, GetInclusionProof, ListLogKeys, Query,
    RotateLogKey, Service, Tail, TailStart, VerifyLog,
};

/// The `Audit` service.
pub(super) struct Door {
    service: Arc<Service>,
}

impl Door {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Self { service }
    }
}

#[tonic::async_trait]
impl Audit for Door {
    async fn query(
        &self,
        request: Request<v1::QueryRequest>,
    ) -> Result<Response<v1::QueryResponse>, Status> {
        let caller = caller_of(&request);
        match query(request.into_inner()) {
            Ok(query) => {
                answer(self.service.call(caller, Query(query)).await, |page| v1::QueryResponse {
                    records: page.records.into_iter().map(record).collect(),
                    next_page_token: page.next.unwrap_or_default(),
                    log_size: page.log_size,
                })
            }
            Err(error) => {
                let action = "strongroom:QueryAuditTrail";
                let reply = self.service.refuse(caller, "Query", action, error).await;
                answer(reply, |never| match never {})
            }
        }
    }

    type TailStream = Pin<Box<dyn Stream<Item = Result<v1::Record, Status>> + Send>>;

    async fn tail(
        &self,
        request: Request<v1::TailRequest>,
    ) -> Result<Response<Self::TailStream>, Status> {
        let caller = caller_of(&request);
        let request_id = caller.request_id.clone();
        let v1::TailRequest { start_index, conditions } = request.into_inner();
        let follow = |start: TailStart| -> Self::TailStream {
            let records = self.service.follow(start);
            Box::pin(records.map(move |item| {
                item.map(record).map_err(|error| status(&error, &request_id, None))
            }))
        };
        match query(conditions.unwrap_or_default()) {
            Ok(conditions) => {
                let asked = Tail { start_index, conditions };
                answer(self.service.call(caller, asked).await, follow)
            }
            Err(error) => {
                let action = "strongroom:TailAuditTrail";
                let reply = self.service.refuse(caller, "Tail", action, error).await;
                answer(reply, |never| match never {})
            }
        }
    }

    async fn expect(
        &self,
        request: Request<v1::ExpectRequest>,
    ) -> Result<Response<v1::ExpectResponse>, Status> {
        let caller = caller_of(&request);
        match expectation(request.into_inner()) {
            Ok(expected) => answer(self.service.call(caller, Expect(expected)).await, report),
            Err(error) => {
                let action = "strongroom:QueryAuditTrail";
                let reply = self.service.refuse(caller, "Expect", action, error).await;
                answer(reply, |never| match never {})
            }
        }
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let reply = self.service.call(caller_of(&request), GetCheckpoint).await;
        answer(reply, |found| v1::GetCheckpointResponse {
            checkpoint: text(&found.head.checkpoint),
            log_size: found.head.size,
            root_hash: found.head.root.to_vec(),
            log_keys: found.log_keys,
            verifier_key: found.verifier_key,
            cosigned_log_size: found.cosigned.as_ref().map_or(0, |it| it.checkpoint.size),
            cosigned_checkpoint: found.cosigned.map(|it| text(&it.note)).unwrap_or_default(),
        })
    }

    async fn verify_log(
        &self,
        request: Request<v1::VerifyLogRequest>,
    ) -> Result<Response<v1::VerifyLogResponse>, Status> {
        let reply = self.service.call(caller_of(&request), VerifyLog).await;
        answer(reply, |head| v1::VerifyLogResponse {
            log_size: head.size,
            root_hash: head.root.to_vec(),
            checkpoint: String::from_utf8_lossy(&head.checkpoint).into_owned(),
        })
    }

    async fn rotate_log_key(
        &self,
        request: Request<v1::RotateLogKeyRequest>,
    ) -> Result<Response<v1::RotateLogKeyResponse>, Status> {
        let reply = self.service.call(caller_of(&request), RotateLogKey).await;
        answer(reply, |verifier_key| v1::RotateLogKeyResponse { verifier_key })
    }

    async fn list_log_keys(
        &self,
        request: Request<v1::ListLogKeysRequest>,
    ) -> Result<Response<v1::ListLogKeysResponse>, Status> {
        let reply = self.service.call(caller_of(&request), ListLogKeys).await;
        answer(reply, |found| v1::ListLogKeysResponse {
            verifier_keys: found.keys.all().map(str::to_owned).collect(),
            hand_overs: found.hand_overs.iter().map(HandOver::encode).collect(),
        })
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::GetInclusionProofResponse>, Status> {
        let caller = caller_of(&request);
        let v1::GetInclusionProofRequest { leaf_index, tree_size } = request.into_inner();
        let asked = GetInclusionProof { index: leaf_index, size: tree_size };
        answer(self.service.call(caller, asked).await, |proved| v1::GetInclusionProofResponse {
            leaf_index: proved.proof.index,
            tree_size: proved.proof.size,
            hashes: hashes(&proved.proof.hashes),
            root_hash: proved.proof.root.to_vec(),
            checkpoint: String::from_utf8_lossy(&proved.head.checkpoint).into_owned(),
        })
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        use v1::get_consistency_proof_request::{New, Old};
        let caller = caller_of(&request);
        let v1::GetConsistencyProofRequest { old, new } = request.into_inner();
        let old = match old {
            // Nothing said is the empty tree, from which there is no proof.
            None => TreeName::Size(0),
            Some(Old::OldSize(size)) => TreeName::Size(size),
            Some(Old::OldCheckpoint(note)) => TreeName::Checkpoint(note.into_bytes()),
        };
        let new = new.map(|new| match new {
            New::NewSize(size) => TreeName::Size(size),
            New::NewCheckpoint(note) => TreeName::Checkpoint(note.into_bytes()),
        });
        let reply = self.service.call(caller, GetConsistencyProof { old, new }).await;
        answer(reply, |proved| v1::GetConsistencyProofResponse {
            old_size: proved.proof.old.size,
            old_root_hash: proved.proof.old.root.to_vec(),
            new_size: proved.proof.new.size,
            new_root_hash: proved.proof.new.root.to_vec(),
            hashes: hashes(&proved.proof.hashes),
            checkpoint: String::from_utf8_lossy(&proved.head.checkpoint).into_owned(),
        })
    }
}

fn text(note: &[u8]) -> String {
    String::from_utf8_lossy(note).into_owned()
}

fn hashes(hashes: &[[u8; 32]]) -> Vec<Vec<u8>> {
    hashes.iter().map(|hash| hash.to_vec()).collect()
}

fn query(asked: v1::QueryRequest) -> Result<audit::Query, Error> {
    let order = match v1::Order::try_from(asked.order) {
        Ok(v1::Order::Unspecified | v1::Order::NewestFirst) => audit::Order::NewestFirst,
        Ok(v1::Order::OldestFirst) => audit::Order::OldestFirst,
        Err(_) => return Err(Error::Malformed("order is none that there is".to_owned())),
    };
    Ok(audit::Query {
        start_time: asked.start_time.map(time).transpose()?,
        end_time: asked.end_time.map(time).transpose()?,
        key: given(asked.key_id),
        resource: given(asked.resource),
        principal: given(asked.principal),
        account: given(asked.account),
        access_key_id: given(asked.access_key_id),
        source: given(asked.source_address),
        operation: given(asked.operation),
        outcome: given(asked.outcome),
        error_code: given(asked.error_code),
        context: asked.encryption_context.into_iter().collect(),
        request_id: given(asked.request_id),
        start_index: asked.start_index,
        end_index: asked.end_index,
        order,
        limit: limit(asked.limit),
        page_token: given(asked.page_token),
    })
}

fn expectation(asked: v1::ExpectRequest) -> Result<audit::Expectation, Error> {
    let call = |expected: v1::ExpectedCall| {
        let call = query(expected.call.unwrap_or_default())?;
        let unsaid = u64::from(expected.at_most.is_none());
        let times =
            audit::Times { least: expected.at_least.unwrap_or(unsaid), most: expected.at_most };
        Ok((call, times))
    };
    Ok(audit::Expectation {
        scope: query(asked.scope.unwrap_or_default())?,
        calls: asked.calls.into_iter().map(call).collect::<Result<_, Error>>()?,
        nothing_else: asked.nothing_else,
    })
}

fn report(found: audit::Report) -> v1::ExpectResponse {
    let counted = |counted: audit::Counted| v1::CountedCall {
        met: counted.is_met(),
        count: counted.count,
        indexes: counted.found,
        near: counted.near.into_iter().map(record).collect(),
    };
    v1::ExpectResponse {
        met: found.met,
        report: found.to_string(),
        calls: found.calls.into_iter().map(counted).collect(),
        others: found.others.into_iter().map(record).collect(),
        other_count: found.other_count,
    }
}

fn time(stamp: Timestamp) -> Result<DateTime<Utc>, Error> {
    let nanos = u32::try_from(stamp.nanos).ok();
    nanos
        .and_then(|nanos| DateTime::from_timestamp(stamp.seconds, nanos))
        .ok_or_else(|| Error::Malformed("a time is out of range".to_owned()))
}

fn record(record: audit::Record) -> v1::Record {
    let audit::Record { index, event, bytes } = record;
    v1::Record {
        index,
        entry: bytes,
        time: Some(timestamp(event.time)),
        request_id: event.request_id,
        operation: event.operation,
        principal: event.principal,
        outcome: event.outcome.as_str().to_owned(),
        error_code: event.error_code.unwrap_or_default(),
        key_id: event.key.unwrap_or_default(),
        encryption_context: event.context.into_iter().collect(),
    }
}
