//! CloudTrail, one translation each way.
//!
//! Source: AWS CloudTrail API Reference, `LookupEvents`; the service model (2013-11-01).

use serde_json::{Value, json};

use super::answer::seconds;
use super::members::Members;
use crate::audit::{CloudTrailEvent, CloudTrailResource, LookedUp, Lookup};
use crate::service::{Error, LookupEvents};

type Read<T> = Result<T, Error>;

pub(super) fn lookup_events(asked: &mut Members) -> Read<LookupEvents> {
    let attribute = |mut given: Members| {
        let name = given.text("AttributeKey")?.unwrap_or_default();
        Ok((name, given.text("AttributeValue")?.unwrap_or_default()))
    };
    Ok(LookupEvents(Lookup {
        attributes: asked
            .structures("LookupAttributes")?
            .into_iter()
            .map(attribute)
            .collect::<Read<_>>()?,
        start_time: asked.time("StartTime")?,
        end_time: asked.time("EndTime")?,
        event_category: asked.text("EventCategory")?,
        max_results: asked.integer("MaxResults")?,
        next_token: asked.text("NextToken")?,
    }))
}

pub(super) fn events(found: LookedUp) -> Value {
    let LookedUp { events, next_token } = found;
    json!({
        "Events": events.iter().map(event).collect::<Vec<_>>(),
        "NextToken": next_token,
    })
}

fn event(event: &CloudTrailEvent) -> Value {
    let resource = |resource: &CloudTrailResource| json!({ "ResourceType": resource.kind, "ResourceName": resource.arn });
    json!({
        "EventId": event.event_id,
        "EventName": event.event_name,
        "ReadOnly": event.read_only.to_string(),
        "AccessKeyId": event.user_identity.get("accessKeyId"),
        "EventTime": seconds(event.event_time),
        "EventSource": event.event_source,
        "Username": event.user_name,
        "Resources": event.resources.iter().map(resource).collect::<Vec<_>>(),
        "CloudTrailEvent": serde_json::to_string(event).ok(),
    })
}
