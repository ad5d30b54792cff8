//! Keys: their names, states and versions, the blobs made under them, and what may be done to them.
//!
//! Synchronous and pure but for randomness: memory in, an output and a list of changes out. The
//! commit writes the changes and publishes them back through [`Directory::apply`].
//!
//! | file | noun |
//! |---|---|
//! | `id.rs` | accounts, regions, key ids, ARNs, aliases, and how a caller may name a key |
//! | `context.rs` | the encryption context |
//! | `spec.rs` | key specs: what a key is and may be used for |
//! | `state.rs` | key states, and the one table of what each allows |
//! | `key.rs`, `key_version.rs` | the key record; one of its versions |
//! | `grant.rs`, `alias.rs` | one grant, and what it allows; one alias |
//! | `blob.rs`, `import_token.rs` | ciphertext blobs, import tokens |
//! | `material.rs` | key material in memory, ready to use |
//! | `memory.rs`, `directory.rs` | keys, aliases and grants in memory, and how they are found |
//! | `rules.rs`, `violations.rs` | what the API's model says of each member, and what violates it |
//! | `conditions.rs` | what conditions of policies see of requests |
//! | `given.rs` | members that are required, given or not |
//! | `requests/`, `outputs/` | one request and one output type an operation |
//! | `page.rs` | pages of lists |
//! | `lifecycle.rs`, `managed.rs`, `rotation.rs`, `import.rs`, `multi_region.rs` | life of keys |
//! | `aliases.rs`, `tags.rs`, `policies.rs`, `grants.rs` | what is attached to keys |
//! | `data_keys.rs`, `cipher.rs`, `macs.rs`, `signatures.rs`, `shared_secrets.rs` | use of keys |
//! | `error.rs` | refusals, in AWS's words |

#[cfg(feature = "server")]
mod alias;
#[cfg(feature = "server")]
mod aliases;
pub mod blob;
#[cfg(feature = "server")]
mod cipher;
mod conditions;
pub mod context;
#[cfg(feature = "server")]
mod data_keys;
#[cfg(feature = "server")]
mod directory;
mod error;
mod given;
#[cfg(feature = "server")]
mod grant;
#[cfg(feature = "server")]
mod grants;
pub mod id;
#[cfg(feature = "server")]
mod import;
#[cfg(feature = "server")]
mod import_token;
#[cfg(feature = "server")]
mod key;
#[cfg(feature = "server")]
mod key_version;
#[cfg(feature = "server")]
mod lifecycle;
#[cfg(feature = "server")]
mod macs;
#[cfg(feature = "server")]
mod managed;
#[cfg(feature = "server")]
mod material;
#[cfg(feature = "server")]
mod memory;
#[cfg(feature = "server")]
mod multi_region;
mod outputs;
#[cfg(feature = "server")]
mod page;
#[cfg(feature = "server")]
mod policies;
mod requests;
#[cfg(feature = "server")]
mod rotation;
mod rules;
#[cfg(feature = "server")]
mod shared_secrets;
#[cfg(feature = "server")]
mod signatures;
pub mod spec;
pub mod state;
#[cfg(feature = "server")]
mod tags;
mod violations;

#[cfg(feature = "server")]
pub use aliases::{alias_target, create_alias, delete_alias, list_aliases, update_alias};
#[cfg(feature = "server")]
pub use cipher::{decrypt, encrypt, generate_random, ignores_ciphertext, re_encrypt, source_key};
pub use conditions::{Known, Values};
#[cfg(feature = "server")]
pub use data_keys::{
    generate_data_key, generate_data_key_pair, generate_data_key_pair_without_plaintext,
    generate_data_key_without_plaintext, rewrap_data_key, unwrap_data_key, wrap_data_key,
};
#[cfg(feature = "server")]
pub use directory::{Call, Directory, Done, Found, Touched};
pub use error::Error;
pub use given::{Bytes, Text};
#[cfg(feature = "server")]
pub use grant::{Grant, GrantId};
#[cfg(feature = "server")]
pub use grants::{
    Retirable, create_grant, list_grants, list_retirable_grants, retirable, retire_grant,
    revoke_grant,
};
pub use id::Scope;
#[cfg(feature = "server")]
pub use import::{
    delete_expired_key_material, delete_imported_key_material, expired_key_material,
    get_parameters_for_import, import_key_material,
};
#[cfg(feature = "server")]
pub use key::{Key, MultiRegionPart};
#[cfg(feature = "server")]
pub use key_version::{KeyVersion, Origin, Rotation, RotationType};
#[cfg(feature = "server")]
pub use lifecycle::{
    cancel_key_deletion, create_key, delete_key, describe_key, disable_key, enable_key,
    expired_keys, list_keys, schedule_key_deletion, update_key_description,
};
#[cfg(feature = "server")]
pub use macs::{generate_mac, verify_mac_of};
#[cfg(feature = "server")]
pub use managed::create_managed_key;
#[cfg(feature = "server")]
pub use material::KeyEntry;
#[cfg(feature = "server")]
pub use multi_region::{replica_in, replicate_key, update_primary_region};
pub use outputs::*;
#[cfg(feature = "server")]
pub use policies::{default_policy, get_key_policy, list_key_policies, put_key_policy};
pub use requests::*;
#[cfg(feature = "server")]
pub use rotation::{
    describe_key_versions, disable_key_rotation, due_rotations, enable_key_rotation,
    get_key_rotation_status, list_key_rotations, rotate_key, rotate_key_on_demand,
};
#[cfg(feature = "server")]
pub use shared_secrets::{decapsulate, derive_shared_secret, encapsulate};
#[cfg(feature = "server")]
pub use signatures::{get_public_key, sign, verify};
pub use spec::{KeySpec, KeyUsage};
pub use state::KeyState;
#[cfg(feature = "server")]
pub use tags::{list_resource_tags, tag_resource, untag_resource};
pub use violations::Violations;

#[cfg(test)]
#[cfg(feature = "server")]
mod tests;
