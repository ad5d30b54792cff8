//! Which handler an operation has. What is not here is refused with `NotImplemented`.

use s3s::access::{S3Access, S3AccessContext};
use s3s::dto;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::exchange::{Exchange, run};
use super::{buckets, copies, listing, objects, settings, tagging, unset, uploads};

/// Bytes of an XML body at the most: the parts of an upload, with their checksums.
pub(super) const XML_BYTES: usize = 4 * 1024 * 1024;

/// The same for other operations.
const SHORT_XML_BYTES: u64 = 1024 * 1024;
const DELETE_BYTES: u64 = 2 * 1024 * 1024;

/// Hears which operation a request is, and lets everybody through: the walk decides.
pub(super) struct Resolved;

#[async_trait::async_trait]
impl S3Access for Resolved {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = context.s3_op().name().to_owned();
        let length = context.headers().get(http::header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if let Some(exchange) = context.extensions_mut().get::<std::sync::Arc<Exchange>>() {
            exchange.found(&operation);
        }
        let most = match operation.as_str() {
            "CompleteMultipartUpload" | "PostObject" | "PutObject" | "UploadPart" => return Ok(()),
            "DeleteObjects" => DELETE_BYTES,
            _ => SHORT_XML_BYTES,
        };
        match length.is_some_and(|length| length > most) {
            true => Err(S3Error::new(S3ErrorCode::MaxMessageLengthExceeded)),
            false => Ok(()),
        }
    }
}

/// Every operation that this door has.
pub(super) struct Operations;

macro_rules! operations {
    ($($module:ident { $($name:ident $input:ident $output:ident;)+ })+) => {
        #[async_trait::async_trait]
        impl S3 for Operations {
            $($(async fn $name(
                &self,
                request: S3Request<dto::$input>,
            ) -> S3Result<S3Response<dto::$output>> {
                run(request, $module::$name).await
            })+)+
        }
    };
}

operations! {
    buckets {
        create_bucket CreateBucketInput CreateBucketOutput;
        delete_bucket DeleteBucketInput DeleteBucketOutput;
        get_bucket_acl GetBucketAclInput GetBucketAclOutput;
        get_bucket_location GetBucketLocationInput GetBucketLocationOutput;
        head_bucket HeadBucketInput HeadBucketOutput;
        list_buckets ListBucketsInput ListBucketsOutput;
        put_bucket_acl PutBucketAclInput PutBucketAclOutput;
    }
    copies {
        copy_object CopyObjectInput CopyObjectOutput;
        upload_part_copy UploadPartCopyInput UploadPartCopyOutput;
    }
    listing {
        list_multipart_uploads ListMultipartUploadsInput ListMultipartUploadsOutput;
        list_object_versions ListObjectVersionsInput ListObjectVersionsOutput;
        list_objects ListObjectsInput ListObjectsOutput;
        list_objects_v2 ListObjectsV2Input ListObjectsV2Output;
        list_parts ListPartsInput ListPartsOutput;
    }
    objects {
        delete_object DeleteObjectInput DeleteObjectOutput;
        delete_objects DeleteObjectsInput DeleteObjectsOutput;
        get_object GetObjectInput GetObjectOutput;
        get_object_acl GetObjectAclInput GetObjectAclOutput;
        get_object_attributes GetObjectAttributesInput GetObjectAttributesOutput;
        head_object HeadObjectInput HeadObjectOutput;
        post_object PostObjectInput PostObjectOutput;
        put_object PutObjectInput PutObjectOutput;
        put_object_acl PutObjectAclInput PutObjectAclOutput;
    }
    settings {
        delete_bucket_cors DeleteBucketCorsInput DeleteBucketCorsOutput;
        delete_bucket_lifecycle DeleteBucketLifecycleInput DeleteBucketLifecycleOutput;
        delete_bucket_ownership_controls
            DeleteBucketOwnershipControlsInput DeleteBucketOwnershipControlsOutput;
        delete_bucket_policy DeleteBucketPolicyInput DeleteBucketPolicyOutput;
        delete_bucket_tagging DeleteBucketTaggingInput DeleteBucketTaggingOutput;
        delete_public_access_block DeletePublicAccessBlockInput DeletePublicAccessBlockOutput;
        get_bucket_cors GetBucketCorsInput GetBucketCorsOutput;
        get_bucket_lifecycle_configuration
            GetBucketLifecycleConfigurationInput GetBucketLifecycleConfigurationOutput;
        get_bucket_ownership_controls
            GetBucketOwnershipControlsInput GetBucketOwnershipControlsOutput;
        get_bucket_policy GetBucketPolicyInput GetBucketPolicyOutput;
        get_bucket_tagging GetBucketTaggingInput GetBucketTaggingOutput;
        get_bucket_versioning GetBucketVersioningInput GetBucketVersioningOutput;
        get_public_access_block GetPublicAccessBlockInput GetPublicAccessBlockOutput;
        put_bucket_cors PutBucketCorsInput PutBucketCorsOutput;
        put_bucket_lifecycle_configuration
            PutBucketLifecycleConfigurationInput PutBucketLifecycleConfigurationOutput;
        put_bucket_ownership_controls
            PutBucketOwnershipControlsInput PutBucketOwnershipControlsOutput;
        put_bucket_policy PutBucketPolicyInput PutBucketPolicyOutput;
        put_bucket_tagging PutBucketTaggingInput PutBucketTaggingOutput;
        put_bucket_versioning PutBucketVersioningInput PutBucketVersioningOutput;
        put_public_access_block PutPublicAccessBlockInput PutPublicAccessBlockOutput;
    }
    tagging {
        delete_object_tagging DeleteObjectTaggingInput DeleteObjectTaggingOutput;
        get_object_tagging GetObjectTaggingInput GetObjectTaggingOutput;
        put_object_tagging PutObjectTaggingInput PutObjectTaggingOutput;
    }
    unset {
        get_bucket_accelerate_configuration
            GetBucketAccelerateConfigurationInput GetBucketAccelerateConfigurationOutput;
        get_bucket_logging GetBucketLoggingInput GetBucketLoggingOutput;
        get_bucket_notification_configuration
            GetBucketNotificationConfigurationInput GetBucketNotificationConfigurationOutput;
        get_bucket_policy_status GetBucketPolicyStatusInput GetBucketPolicyStatusOutput;
        get_bucket_replication GetBucketReplicationInput GetBucketReplicationOutput;
        get_bucket_request_payment GetBucketRequestPaymentInput GetBucketRequestPaymentOutput;
        get_bucket_website GetBucketWebsiteInput GetBucketWebsiteOutput;
        get_object_lock_configuration
            GetObjectLockConfigurationInput GetObjectLockConfigurationOutput;
    }
    uploads {
        abort_multipart_upload AbortMultipartUploadInput AbortMultipartUploadOutput;
        complete_multipart_upload CompleteMultipartUploadInput CompleteMultipartUploadOutput;
        create_multipart_upload CreateMultipartUploadInput CreateMultipartUploadOutput;
        upload_part UploadPartInput UploadPartOutput;
    }
}
