//! The operations of ECR that are served: what of their inputs is read, and what is refused by name.

use super::served::{Served, but, moot, refused, served};

pub(crate) const ECR: &[Served] = &[
    served("GetAuthorizationToken", "", &[moot("registryIds", "one token is for all registries (API Reference)")]),
    served(
        "CreateRepository",
        "repositoryName tags.Key tags.Value imageTagMutability",
        &[
            refused("registryId", "the local cloud has one account"),
            refused("imageTagMutabilityExclusionFilters", "tags are all mutable or all immutable here"),
            moot("imageScanningConfiguration", "images are not scanned here"),
            but("encryptionConfiguration.encryptionType", "AES256", "the local cloud has no KMS"),
            refused("encryptionConfiguration.kmsKey", "the local cloud has no KMS"),
        ],
    ),
    served(
        "DescribeRepositories",
        "repositoryNames maxResults nextToken",
        &[refused("registryId", "the local cloud has one account")],
    ),
    served("DeleteRepository", "repositoryName force", &[refused("registryId", "the local cloud has one account")]),
    served("ListTagsForResource", "resourceArn", &[]),
    served("TagResource", "resourceArn tags.Key tags.Value", &[]),
    served("UntagResource", "resourceArn tagKeys", &[]),
    served(
        "ListImages",
        "repositoryName",
        &[
            refused("registryId", "the local cloud has one account"),
            refused("maxResults", "all images come in one answer"),
            refused("nextToken", "all images come in one answer"),
            refused("filter", "all images come in one answer"),
        ],
    ),
];
