//! The regions of AWS by name, so that a slip is found before anything is made.
//!
//! Source: "AWS Regions" in the AWS Regions and Availability Zones user guide, and the partitions that the AWS SDKs publish,
//! as of November 2026. A name that only looks like one is let through with a warning: regions are added every year.

use yaml::nearest;

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Region {
    /// A region.
    Known,
    /// Formed as names of regions are, and newer than this table, or a slip.
    New {
        /// The known name that is most like it.
        like: Option<&'static str>,
    },
    /// No region can be called so.
    Impossible {
        /// The known name that is most like it.
        like: Option<&'static str>,
    },
}

/// Those of the partitions aws, aws-cn, aws-us-gov, the isolated ones and the European sovereign cloud.
const KNOWN: [&str; 44] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isof-east-1",
    "us-west-1",
    "us-west-2",
];

/// The partition of a region, by what its name begins with; names of other regions are of the partition `aws`.
///
/// Source: the partitions that the AWS SDKs publish, as of November 2026.
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
];

/// The ARN partition of a region.
pub(crate) fn partition(region: &str) -> &'static str {
    PARTITIONS.iter().find(|(start, _)| region.starts_with(start)).map_or("aws", |(_, partition)| partition)
}

/// Where in its area a region lies.
const DIRECTIONS: [&str; 9] =
    ["central", "east", "north", "northeast", "northwest", "south", "southeast", "southwest", "west"];

/// What is known of `name`.
pub(crate) fn look_up(name: &str) -> Region {
    if KNOWN.contains(&name) {
        return Region::Known;
    }
    let like = nearest(name, &KNOWN);
    let parts = name.rsplit_once('-').and_then(|(area, number)| Some((area.rsplit_once('-')?, number)));
    let is_number =
        |number: &str| number.len() == 1 && number.bytes().all(|digit| digit.is_ascii_digit() && digit > b'0');
    match parts {
        Some(((area, direction), number))
            if DIRECTIONS.contains(&direction) && is_number(number) && areas().any(|known| known == area) =>
        {
            Region::New { like }
        }
        _ => Region::Impossible { like },
    }
}

/// What stands before direction and number in the names that are known.
fn areas() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().filter_map(|name| name.rsplitn(3, '-').nth(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_impossible_and_names_what_was_meant() {
        for (slip, meant) in [
            ("us-est-1", "us-east-1"),
            ("us_east_1", "us-east-1"),
            ("US-EAST-1", "us-east-1"),
            ("ap-northeats-1", "ap-northeast-1"),
            ("eu-west", "eu-west-1"),
            ("us-east-1a", "us-east-1"),
            ("us-east-0", "us-east-1"),
        ] {
            let Region::Impossible { like } = look_up(slip) else { panic!("{slip} is taken") };
            assert_eq!(like.map(|like| &like[..6]), Some(&meant[..6]), "{slip}");
        }
        for nonsense in ["", "mars", "-1", "xx-east-1", "us--east-1"] {
            assert!(matches!(look_up(nonsense), Region::Impossible { .. }), "{nonsense}");
        }
    }

    #[test]
    fn every_region_has_its_partition() {
        for (region, expected) in [
            ("ap-northeast-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-east-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(partition(region), expected, "{region}");
        }
    }

    #[test]
    fn a_region_that_is_newer_than_the_table_is_taken_with_a_doubt() {
        assert!(KNOWN.is_sorted());
        assert_eq!(look_up("us-gov-west-1"), Region::Known);
        for new in ["ap-southeast-8", "us-central-1", "eu-northwest-2", "us-isob-west-1"] {
            assert!(matches!(look_up(new), Region::New { like: Some(_) }), "{new}: {:?}", look_up(new));
        }
    }
}
