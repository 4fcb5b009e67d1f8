//! The operations of EC2 that are served: what of their inputs is read, and what is refused by name.

use super::served::{Served, moot, served};

pub(crate) const EC2: &[Served] = &[
    served(
        "DescribeAvailabilityZones",
        "ZoneNames ZoneIds DryRun Filters.Name Filters.Values",
        &[moot("AllAvailabilityZones", "there are none that an account must opt into")],
    ),
    served("DescribeRouteTables", "NextToken MaxResults DryRun RouteTableIds Filters.Name Filters.Values", &[]),
    served("DescribeSubnets", "Filters.Name Filters.Values SubnetIds NextToken MaxResults DryRun", &[]),
    served("DescribeVpcAttribute", "Attribute VpcId DryRun", &[]),
    served("DescribeVpcEndpoints", "DryRun VpcEndpointIds Filters.Name Filters.Values MaxResults NextToken", &[]),
    served("DescribeVpcs", "Filters.Name Filters.Values VpcIds NextToken MaxResults DryRun", &[]),
];
