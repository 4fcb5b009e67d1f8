//! The operations of STS that are served: what of their inputs is read, and what is refused by name.

use super::served::{Served, refused, served};

pub(crate) const STS: &[Served] = &[
    served(
        "AssumeRole",
        "RoleArn RoleSessionName PolicyArns.arn Policy DurationSeconds Tags.Key Tags.Value TransitiveTagKeys ExternalId SerialNumber TokenCode SourceIdentity MinimumSessionTokenSize",
        &[refused("ProvidedContexts", "the local cloud has no IAM Identity Center that could assert a context")],
    ),
    served(
        "AssumeRoleWithWebIdentity",
        "RoleArn RoleSessionName WebIdentityToken PolicyArns.arn Policy DurationSeconds MinimumSessionTokenSize",
        &[refused(
            "ProviderId",
            "it is for OAuth 2.0 access tokens of social providers, and the local cloud takes OpenID Connect tokens",
        )],
    ),
    served("GetAccessKeyInfo", "AccessKeyId", &[]),
    served("GetCallerIdentity", "", &[]),
    served(
        "GetFederationToken",
        "Name Policy PolicyArns.arn DurationSeconds Tags.Key Tags.Value MinimumSessionTokenSize",
        &[],
    ),
    served("GetSessionToken", "DurationSeconds SerialNumber TokenCode MinimumSessionTokenSize", &[]),
];
