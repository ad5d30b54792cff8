//! `strongroom key`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connection::Connection;
use super::error::Error;
use super::output::{Output, time};
use crate::proto::v1;

/// Create, list and change keys
#[derive(Debug, Args)]
pub(super) struct Key {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
struct Named {
    /// Key id or key ARN
    key: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a key
    #[command(after_help = "Example: strongroom key create --alias alias/app --output json")]
    Create {
        /// Name it at once
        #[arg(long, value_name = "alias/NAME")]
        alias: Option<String>,
        /// Say what it is for
        #[arg(long, default_value = "")]
        description: String,
        /// Tag it; may be given several times
        #[arg(long, value_name = "NAME=VALUE", value_parser = super::object::pair)]
        tag: Vec<(String, String)>,
        #[command(flatten)]
        common: Common,
    },
    /// List keys
    #[command(after_help = "Example: strongroom key list --output json")]
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Show a key (an alias will do)
    #[command(after_help = "Example: strongroom key describe alias/app")]
    Describe(Named),
    /// Let a disabled key be used again
    #[command(after_help = "Example: strongroom key enable 1234abcd-12ab-34cd-56ef-1234567890ab")]
    Enable(Named),
    /// Stop all use of a key; nothing is lost
    #[command(after_help = "Example: strongroom key disable 1234abcd-12ab-34cd-56ef-1234567890ab")]
    Disable(Named),
    /// Add a version, which encrypts from now on
    #[command(after_help = "Example: strongroom key rotate 1234abcd-12ab-34cd-56ef-1234567890ab")]
    Rotate(Named),
    /// List the versions of a key
    #[command(after_help = "Example: strongroom key versions 1234abcd-12ab-34cd-56ef-1234567890ab")]
    Versions(Named),
    /// Stop a key and remove it later
    #[command(after_help = "Example: strongroom key schedule-deletion KEY --days 7")]
    ScheduleDeletion {
        /// Days until then, 7 to 30
        #[arg(long, default_value_t = 30)]
        days: i32,
        #[command(flatten)]
        named: Named,
    },
    /// Take a scheduled deletion back
    #[command(after_help = "Example: strongroom key cancel-deletion KEY")]
    CancelDeletion(Named),
}

impl Key {
    pub(super) async fn run(self) -> Result<(), Error> {
        match self.verb {
            Verb::Create { alias, description, tag, common } => {
                create(alias, description, tag, &common).await
            }
            Verb::List { common } => list(&common).await,
            Verb::Describe(named) => describe(named).await,
            Verb::Enable(Named { key, common }) => {
                let request = v1::EnableKeyRequest { key_id: key };
                common.connection.keys()?.enable_key(request).await?;
                common.output.done("enabled")
            }
            Verb::Disable(Named { key, common }) => {
                let request = v1::DisableKeyRequest { key_id: key };
                common.connection.keys()?.disable_key(request).await?;
                common.output.done("disabled")
            }
            Verb::Rotate(Named { key, common }) => {
                let request = v1::RotateKeyOnDemandRequest { key_id: key };
                let done = common.connection.keys()?.rotate_key_on_demand(request).await?;
                let done = done.into_inner();
                common
                    .output
                    .one(&json!({ "key_id": done.key_id, "key_version": done.key_version }))
            }
            Verb::Versions(named) => versions(named).await,
            Verb::ScheduleDeletion { days, named: Named { key, common } } => {
                let pending_window_in_days = Some(days);
                let request =
                    v1::ScheduleKeyDeletionRequest { key_id: key, pending_window_in_days };
                let done = common.connection.keys()?.schedule_key_deletion(request).await?;
                let done = done.into_inner();
                common.output.one(&json!({
                    "key_id": done.key_id,
                    "deletion_date": time(done.deletion_date.as_ref()),
                    "key_state": done.key_state,
                }))
            }
            Verb::CancelDeletion(Named { key, common }) => {
                let request = v1::CancelKeyDeletionRequest { key_id: key };
                common.connection.keys()?.cancel_key_deletion(request).await?;
                common.output.done("the key stays; it is disabled until `key enable`")
            }
        }
    }
}

async fn create(
    alias: Option<String>,
    description: String,
    tags: Vec<(String, String)>,
    common: &Common,
) -> Result<(), Error> {
    let mut keys = common.connection.keys()?;
    let tag = |(tag_key, tag_value)| v1::Tag { tag_key, tag_value };
    let tags = tags.into_iter().map(tag).collect();
    let request = v1::CreateKeyRequest { description, tags, ..Default::default() };
    let made = keys.create_key(request).await?.into_inner().key_metadata;
    let made = made.ok_or(Error::Incomplete)?;
    let mut shown = metadata(&made);
    if let Some(alias_name) = alias {
        let target_key_id = made.key_id;
        let request = v1::CreateAliasRequest { alias_name: alias_name.clone(), target_key_id };
        keys.create_alias(request).await?;
        if let Some(members) = shown.as_object_mut() {
            members.insert("alias".to_owned(), alias_name.into());
        }
    }
    common.output.one(&shown)
}

async fn list(common: &Common) -> Result<(), Error> {
    let mut keys = common.connection.keys()?;
    let (mut rows, mut marker) = (Vec::new(), String::new());
    loop {
        let request = v1::ListKeysRequest { limit: 1000, marker };
        let page = keys.list_keys(request).await?.into_inner();
        for entry in page.keys {
            rows.push(json!({ "key_id": entry.key_id, "key_arn": entry.key_arn }));
        }
        marker = page.next_marker;
        if marker.is_empty() {
            return common.output.list("keys", &["key_id", "key_arn"], &rows);
        }
    }
}

async fn describe(Named { key, common }: Named) -> Result<(), Error> {
    let request = v1::DescribeKeyRequest { key_id: key, ..Default::default() };
    let found = common.connection.keys()?.describe_key(request).await?.into_inner();
    common.output.one(&metadata(&found.key_metadata.ok_or(Error::Incomplete)?))
}

async fn versions(Named { key, common }: Named) -> Result<(), Error> {
    let request = v1::DescribeKeyVersionsRequest { key_id: key, limit: 1000, ..Default::default() };
    let found = common.connection.keys()?.describe_key_versions(request).await?.into_inner();
    let row = |version: &v1::KeyVersion| {
        json!({
            "key_version": version.key_version,
            "creation_date": time(version.creation_date.as_ref()),
            "key_material_id": version.key_material_id,
            "current": version.current,
        })
    };
    let rows: Vec<Value> = found.versions.iter().map(row).collect();
    let columns = ["key_version", "creation_date", "key_material_id", "current"];
    common.output.list("versions", &columns, &rows)
}

fn metadata(key: &v1::KeyMetadata) -> Value {
    json!({
        "key_id": key.key_id,
        "arn": key.arn,
        "key_state": key.key_state,
        "description": key.description,
        "creation_date": time(key.creation_date.as_ref()),
        "deletion_date": time(key.deletion_date.as_ref()),
        "current_key_version": key.current_key_version,
    })
}
