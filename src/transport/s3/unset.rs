//! What a bucket cannot be set to here: asked for, it is answered as AWS answers of a bucket that is not set to it.

use s3s::dto;

use super::asked::check_supported;
use super::exchange::{Call, Handled};
use crate::objects;

macro_rules! unset {
    ($($get:ident $input:ident $request:ident $output:ident |$found:pat_param| $answer:expr;)+) => {
        $(
            pub(super) async fn $get(call: Call<dto::$input>) -> Handled<dto::$output> {
                check_supported(&call.exchange.headers)?;
                let bucket = call.input.bucket.clone();
                let $found = call.walk(objects::$request { bucket }).await?;
                Ok($answer)
            }
        )+
    };
}

unset! {
    get_bucket_accelerate_configuration GetBucketAccelerateConfigurationInput
        GetBucketAccelerateConfiguration GetBucketAccelerateConfigurationOutput
        |()| Default::default();
    get_bucket_logging GetBucketLoggingInput GetBucketLogging GetBucketLoggingOutput
        |()| Default::default();
    get_bucket_notification_configuration GetBucketNotificationConfigurationInput
        GetBucketNotificationConfiguration GetBucketNotificationConfigurationOutput
        |()| Default::default();
    get_bucket_policy_status GetBucketPolicyStatusInput GetBucketPolicyStatus
        GetBucketPolicyStatusOutput |is_public| dto::GetBucketPolicyStatusOutput {
            policy_status: Some(dto::PolicyStatus { is_public: Some(is_public) }),
        };
    get_bucket_replication GetBucketReplicationInput GetBucketReplication
        GetBucketReplicationOutput |()| Default::default();
    get_bucket_request_payment GetBucketRequestPaymentInput GetBucketRequestPayment
        GetBucketRequestPaymentOutput |()| dto::GetBucketRequestPaymentOutput {
            payer: Some(dto::Payer::from_static(dto::Payer::BUCKET_OWNER)),
        };
    get_bucket_website GetBucketWebsiteInput GetBucketWebsite GetBucketWebsiteOutput
        |()| Default::default();
    get_object_lock_configuration GetObjectLockConfigurationInput GetObjectLockConfiguration
        GetObjectLockConfigurationOutput |()| Default::default();
}
