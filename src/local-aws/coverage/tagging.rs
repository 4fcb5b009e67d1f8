//! The operations of the Resource Groups Tagging API that are served: what of their inputs is read, and what is refused by name.

use super::served::{Served, refused, served};

pub(crate) const TAGGING: &[Served] = &[served(
    "GetResources",
    "PaginationToken TagFilters.Key TagFilters.Values ResourcesPerPage ResourceTypeFilters ResourceARNList",
    &[
        refused("TagsPerPage", "pages count resources; use ResourcesPerPage"),
        refused("IncludeComplianceDetails", "the local cloud has no tag policies"),
        refused("ExcludeCompliantResources", "the local cloud has no tag policies"),
    ],
)];
