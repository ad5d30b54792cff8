//! `strongroom alias`

use clap::{Args, Subcommand};
use serde_json::json;

use super::connection::Connection;
use super::error::Error;
use super::output::{Output, time};
use crate::proto::v1;

/// Name keys
#[derive(Debug, Args)]
pub(super) struct Alias {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Name a key
    #[command(after_help = "Example: strongroom alias create alias/app KEY")]
    Create {
        /// alias/NAME
        alias: String,
        /// Key id or key ARN
        key: String,
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        output: Output,
    },
    /// Move an alias to another key
    #[command(after_help = "Example: strongroom alias update alias/app KEY")]
    Update {
        /// alias/NAME
        alias: String,
        /// Key id or key ARN
        key: String,
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        output: Output,
    },
    /// Remove an alias; the key stays
    #[command(after_help = "Example: strongroom alias delete alias/app")]
    Delete {
        /// alias/NAME
        alias: String,
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        output: Output,
    },
    /// List aliases
    #[command(after_help = "Example: strongroom alias list --key KEY")]
    List {
        /// Only those of a key
        #[arg(long)]
        key: Option<String>,
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        output: Output,
    },
}

impl Alias {
    pub(super) async fn run(self) -> Result<(), Error> {
        match self.verb {
            Verb::Create { alias: alias_name, key: target_key_id, connection, output } => {
                let request = v1::CreateAliasRequest { alias_name, target_key_id };
                connection.keys()?.create_alias(request).await?;
                output.done("created")
            }
            Verb::Update { alias: alias_name, key: target_key_id, connection, output } => {
                let request = v1::UpdateAliasRequest { alias_name, target_key_id };
                connection.keys()?.update_alias(request).await?;
                output.done("moved")
            }
            Verb::Delete { alias: alias_name, connection, output } => {
                let request = v1::DeleteAliasRequest { alias_name };
                connection.keys()?.delete_alias(request).await?;
                output.done("deleted")
            }
            Verb::List { key, connection, output } => list(key, &connection, &output).await,
        }
    }
}

async fn list(key: Option<String>, connection: &Connection, output: &Output) -> Result<(), Error> {
    let mut keys = connection.keys()?;
    let key_id = key.unwrap_or_default();
    let (mut rows, mut marker) = (Vec::new(), String::new());
    loop {
        let request = v1::ListAliasesRequest { key_id: key_id.clone(), limit: 100, marker };
        let page = keys.list_aliases(request).await?.into_inner();
        for entry in page.aliases {
            rows.push(json!({
                "alias_name": entry.alias_name,
                "target_key_id": entry.target_key_id,
                "last_updated_date": time(entry.last_updated_date.as_ref()),
            }));
        }
        marker = page.next_marker;
        if marker.is_empty() {
            let columns = ["alias_name", "target_key_id", "last_updated_date"];
            return output.list("aliases", &columns, &rows);
        }
    }
}
