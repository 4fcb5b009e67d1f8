//! The operations of CloudWatch Logs that are served: what of their inputs is read, and what is refused by name.

use super::served::{Served, refused, served};

pub(crate) const CLOUDWATCH_LOGS: &[Served] = &[
    served(
        "CreateLogGroup",
        "logGroupName tags logGroupClass",
        &[
            refused("kmsKeyId", "the local cloud has no KMS"),
            refused("deletionProtectionEnabled", "the local cloud does not protect log groups from deletion"),
        ],
    ),
    served("DeleteLogGroup", "logGroupName", &[]),
    served("DeleteRetentionPolicy", "logGroupName", &[]),
    served(
        "DescribeLogGroups",
        "logGroupNamePrefix logGroupNamePattern nextToken limit logGroupClass",
        &[
            refused("accountIdentifiers", "the local cloud has one account"),
            refused("includeLinkedAccounts", "the local cloud has one account"),
            refused("logGroupIdentifiers", "use logGroupNamePrefix"),
        ],
    ),
    served("ListTagsForResource", "resourceArn", &[]),
    served("PutRetentionPolicy", "logGroupName retentionInDays", &[]),
    served("TagResource", "resourceArn tags", &[]),
    served("UntagResource", "resourceArn tagKeys", &[]),
];
