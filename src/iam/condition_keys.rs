//! The condition keys that AWS has, for who checks policies: KMS's, S3's, STS's and those of every
//! service. Other services' keys are nobody's business here.
//!
//! Source: IAM User Guide, "AWS global condition context keys"; Service Authorization Reference, "Condition
//! keys for" AWS KMS, Amazon S3 and AWS STS.

/// What is known of a key by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It has any number of values.
    Multivalued,
    /// Another service's.
    Others,
    /// It has one value.
    Single,
    /// There is none of this name.
    Unknown,
}

/// Looks a key up, whatever the case of its letters.
pub(super) fn look_up(key: &str) -> Known {
    let Some((service, name)) = key.split_once(':') else { return Known::Unknown };
    let Some(table) = TABLES.iter().find(|table| table.service.eq_ignore_ascii_case(service))
    else {
        return Known::Others;
    };
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    let begins = |start: &&str| {
        let head = name.get(..start.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(start)) && name.len() > start.len()
    };
    if table.multivalued.iter().any(is) {
        Known::Multivalued
    } else if table.single.iter().any(is) || table.families.iter().any(begins) {
        Known::Single
    } else {
        Known::Unknown
    }
}

/// Whether a key has any number of values by its nature.
#[must_use]
pub fn is_multivalued(key: &str) -> bool {
    look_up(key) == Known::Multivalued
}

/// Whether a key has one value by its nature.
#[must_use]
pub fn is_single_valued(key: &str) -> bool {
    look_up(key) == Known::Single
}

/// A key of another service with the same name, for who mistook the one for the other.
pub(super) fn namesake(key: &str) -> Option<String> {
    let (_, name) = key.split_once(':')?;
    let mut others = TABLES.iter().map(|table| format!("{}:{name}", table.service));
    others.find(|other| matches!(look_up(other), Known::Multivalued | Known::Single))
}

struct Table {
    service: &'static str,
    multivalued: &'static [&'static str],
    single: &'static [&'static str],
    /// What the names of many keys begin with: those of tags and the like.
    families: &'static [&'static str],
}

const TABLES: [Table; 4] = [
    Table {
        service: "aws",
        multivalued: &[
            "CalledVia",
            "PrincipalOrgPaths",
            "PrincipalServiceNamesList",
            "ResourceOrgPaths",
            "SourceOrgPaths",
            "TagKeys",
            "VpceOrgPaths",
        ],
        single: &[
            "AssumedRoot",
            "CalledViaAWSMCP",
            "CalledViaFirst",
            "CalledViaLast",
            "ChatbotSourceArn",
            "CurrentTime",
            "Ec2InstanceSourcePrivateIPv4",
            "Ec2InstanceSourceVpc",
            "EpochTime",
            "FederatedProvider",
            "IsMcpServiceAction",
            "MultiFactorAuthAge",
            "MultiFactorAuthPresent",
            "PrincipalAccount",
            "PrincipalArn",
            "PrincipalIsAWSService",
            "PrincipalOrgID",
            "PrincipalServiceName",
            "PrincipalType",
            "Referer",
            "RequestedRegion",
            "ResourceAccount",
            "ResourceOrgID",
            "SecureTransport",
            "SignInSessionArn",
            "SourceAccount",
            "SourceArn",
            "SourceIdentity",
            "SourceIp",
            "SourceOrgID",
            "SourceVpc",
            "SourceVpcArn",
            "SourceVpce",
            "TokenIssueTime",
            "UserAgent",
            "ViaAWSMCPService",
            "ViaAWSService",
            "VpcSourceIp",
            "VpceAccount",
            "VpceOrgID",
            "userid",
            "username",
        ],
        families: &["PrincipalTag/", "RequestTag/", "ResourceTag/"],
    },
    Table {
        service: "kms",
        multivalued: &["EncryptionContextKeys", "GrantOperations", "ResourceAliases"],
        single: &[
            "BypassPolicyLockoutSafetyCheck",
            "CallerAccount",
            "CustomerMasterKeySpec",
            "CustomerMasterKeyUsage",
            "DataKeyPairSpec",
            "EncryptionAlgorithm",
            "ExpirationModel",
            "GrantConstraintSourceArn",
            "GrantConstraintType",
            "GrantIsForAWSResource",
            "GranteePrincipal",
            "GranteeServicePrincipal",
            "KeyAgreementAlgorithm",
            "KeyOrigin",
            "KeySpec",
            "KeyUsage",
            "MacAlgorithm",
            "MessageType",
            "MultiRegion",
            "MultiRegionKeyType",
            "PrimaryRegion",
            "ReEncryptOnSameKey",
            "ReplicaRegion",
            "RequestAlias",
            "RetiringPrincipal",
            "RetiringServicePrincipal",
            "RotationPeriodInDays",
            "ScheduleKeyDeletionPendingWindowInDays",
            "SigningAlgorithm",
            "ValidTo",
            "ViaService",
            "WrappingAlgorithm",
            "WrappingKeySpec",
        ],
        families: &["EncryptionContext:", "RecipientAttestation:"],
    },
    Table {
        service: "s3",
        multivalued: &["InventoryAccessibleOptionalFields", "RequestObjectTagKeys"],
        single: &[
            "AccessGrantScope",
            "AccessGrantsInstanceArn",
            "AccessGrantsLocationScope",
            "AccessPointNetworkOrigin",
            "DataAccessPointAccount",
            "DataAccessPointArn",
            "ExistingJobOperation",
            "ExistingJobPriority",
            "JobSuspendedCause",
            "LocationConstraint",
            "ObjectCreationOperation",
            "RequestJobOperation",
            "RequestJobPriority",
            "ResourceAccount",
            "TlsVersion",
            "VersionId",
            "annotation-prefix",
            "authType",
            "deliverySourceArn",
            "delimiter",
            "destinationRegion",
            "if-match",
            "if-none-match",
            "isReplicationPauseRequest",
            "logType",
            "max-annotation-results",
            "max-keys",
            "object-lock-event-hold",
            "object-lock-event-hold-duration-days",
            "object-lock-legal-hold",
            "object-lock-mode",
            "object-lock-remaining-retention-days",
            "object-lock-retain-until-date",
            "prefix",
            "resourceArnBeingAuthorized",
            "signatureAge",
            "signatureversion",
            "x-amz-acl",
            "x-amz-bucket-namespace",
            "x-amz-content-sha256",
            "x-amz-copy-source",
            "x-amz-grant-full-control",
            "x-amz-grant-read",
            "x-amz-grant-read-acp",
            "x-amz-grant-write",
            "x-amz-grant-write-acp",
            "x-amz-metadata-directive",
            "x-amz-object-annotation-directive",
            "x-amz-object-if-match",
            "x-amz-object-ownership",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
            "x-amz-server-side-encryption-customer-algorithm",
            "x-amz-storage-class",
            "x-amz-website-redirect-location",
        ],
        families: &["AccessPointTag/", "BucketTag/", "ExistingObjectTag/", "RequestObjectTag/"],
    },
    Table {
        service: "sts",
        multivalued: &["IdentityTokenAudience", "RequestContextProviders", "TransitiveTagKeys"],
        single: &[
            "AWSServiceName",
            "DurationSeconds",
            "ExternalId",
            "RoleSessionName",
            "SigningAlgorithm",
            "SourceIdentity",
            "TaskPolicyArn",
        ],
        families: &["RequestContext/"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_any_case() {
        for (key, known) in [
            ("kms:ViaService", Known::Single),
            ("KMS:viaservice", Known::Single),
            ("kms:EncryptionContext:team", Known::Single),
            ("kms:EncryptionContext:", Known::Unknown),
            ("kms:EncryptionContext", Known::Unknown),
            ("kms:EncryptionContextKeys", Known::Multivalued),
            ("aws:PrincipalTag/équipe", Known::Single),
            ("aws:TagKeys", Known::Multivalued),
            ("aws:SourceIP", Known::Single),
            ("aws:SourceAdress", Known::Unknown),
            ("s3:prefix", Known::Single),
            ("sts:ExternalId", Known::Single),
            ("ec2:Anything", Known::Others),
            ("anything", Known::Unknown),
        ] {
            assert_eq!(look_up(key), known, "{key}");
        }
        assert_eq!(namesake("aws:ViaService").as_deref(), Some("kms:ViaService"));
        assert_eq!(namesake("aws:Nothing"), None);
    }

    /// A key of another nature than the calls have it would be told wrongly of policies.
    #[test]
    fn the_table_has_each_name_once() {
        for table in &TABLES {
            let mut names: Vec<String> = [table.multivalued, table.single, table.families]
                .concat()
                .iter()
                .map(|name| name.to_lowercase())
                .collect();
            let count = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count, "{}", table.service);
        }
    }
}
