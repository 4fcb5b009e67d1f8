//! The operations of Service Quotas that are served: what of their inputs is read, and what is refused by name.

use super::served::{Served, refused, served};

pub(crate) const QUOTAS: &[Served] = &[
    served("GetAWSDefaultServiceQuota", "ServiceCode QuotaCode", &[]),
    served(
        "GetServiceQuota",
        "ServiceCode QuotaCode",
        &[refused("ContextId", "quotas of single resources are not kept")],
    ),
];
