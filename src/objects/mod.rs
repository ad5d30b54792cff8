//! Buckets and objects, as Amazon S3 has them: what is known of them. Their bytes are elsewhere, and so is
//! their encryption ([`crate::sse`]); this room says which bytes are whose.
//!
//! A bucket is one row, a version of an object one, an upload in parts one and each of its parts one; memory
//! holds them all, published by the commit. The id of a bucket, not its name, is in the keys of what it holds:
//! who makes a bucket of a name that was another's before begins with nothing.
//!
//! | file | noun |
//! |---|---|
//! | `requests.rs`, `outputs.rs` | what operations take and give |
//! | `error.rs` | what is refused, in S3's words |
//! | `bucket.rs` | a bucket as it is stored |
//! | `version.rs` | a version of an object as it is stored |
//! | `upload.rs` | an upload in parts as it is stored, and its parts |
//! | `row.rs` | rows: keys and values |
//! | `memory.rs`, `directory.rs` | all of them in memory |
//! | `buckets.rs`, `settings.rs` | operations on buckets; on what they are set to |
//! | `attributes.rs`, `conditions.rs` | limits of what goes with an object; what has to be so of one |
//! | `versions.rs` | operations that read versions, or change them in place |
//! | `writes.rs` | operations that make and remove versions |
//! | `listing.rs`, `page.rs` | what is in a bucket, page by page; tokens that lead on |
//! | `uploads.rs` | operations on uploads in parts |

mod attributes;
mod bucket;
mod buckets;
mod conditions;
mod directory;
mod error;
mod listing;
mod memory;
mod outputs;
mod page;
mod public;
mod requests;
mod row;
mod settings;
mod upload;
mod uploads;
mod version;
mod versions;
mod writes;

pub use bucket::{Bucket, BucketId, EncryptionRule, Versioning};
pub use buckets::{
    create_bucket, delete_bucket, get_bucket_acl, get_bucket_location, head_bucket, list_buckets,
    put_bucket_acl,
};
pub use directory::{Call, Done, Objects};
pub use error::Error;
pub use listing::{list_multipart_uploads, list_object_versions, list_objects};
pub use outputs::*;
pub use requests::*;
pub use settings::*;
pub use upload::{Part, Upload};
pub use uploads::{
    abort_multipart_upload, complete_multipart_upload, create_multipart_upload, list_parts,
    upload_part,
};
pub use version::{Attributes, Blob, BlobId, Body, Content, Sealed, Version, VersionId};
pub use versions::{
    get_object, get_object_acl, get_object_attributes, get_object_tagging, head_object,
    put_object_acl, put_object_tagging, update_object_encryption,
};
pub use writes::{NOT_COPIED, copy_object, delete_object, put_object};

#[cfg(test)]
mod tests;
