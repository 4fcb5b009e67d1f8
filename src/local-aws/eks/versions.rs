//! DescribeClusterVersions: the Kubernetes versions of EKS and how long each is supported.
//!
//! Dates: EKS User Guide, "Amazon EKS Kubernetes release calendar". One that is not published here is left out of the answer.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::cluster::{VERSION_DEFAULT, VERSIONS};
use super::input::{date as seconds, page};
use super::request_context::RequestContext;
use super::store::Tags;
use crate::fault::Fault;

/// Release, end of standard support, end of extended support.
const DATES: [(&str, Date, Date, Date); 5] = [
    ("1.31", date(2024, 9, 26), date(2025, 11, 26), date(2026, 11, 26)),
    ("1.32", date(2025, 1, 23), date(2026, 3, 23), date(2027, 3, 23)),
    ("1.33", date(2025, 5, 29), date(2026, 7, 29), date(2027, 7, 29)),
    ("1.34", date(2025, 10, 2), date(2026, 12, 2), date(2027, 12, 2)),
    ("1.35", date(2026, 1, 27), date(2027, 3, 27), date(2028, 3, 27)),
];
const STANDARD: &str = "STANDARD_SUPPORT";
const UNSUPPORTED: &str = "UNSUPPORTED";

fn start(day: Date) -> Option<Timestamp> {
    day.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// The support of a version; the newest has no dates yet and is in standard support.
fn status(version: &str, now: Timestamp) -> &'static str {
    let dates = DATES.iter().find(|(name, ..)| *name == version);
    let over = |day: Date| start(day).is_some_and(|end| now >= end);
    match dates {
        Some((.., extended)) if over(*extended) => UNSUPPORTED,
        Some((_, _, standard, _)) if over(*standard) => "EXTENDED_SUPPORT",
        _ => STANDARD,
    }
}

fn value(version: &str, now: Timestamp) -> Value {
    let status = status(version, now);
    let mut value = json!({
        "clusterVersion": version,
        "clusterType": "eks",
        "defaultPlatformVersion": "eks.1",
        "defaultVersion": version == VERSION_DEFAULT,
        "versionStatus": status,
        // The older member spells it otherwise.
        "status": status.to_lowercase().replace('_', "-"),
    });
    if let Some((_, released, standard, extended)) = DATES.iter().find(|(name, ..)| *name == version) {
        for (member, day) in
            [("releaseDate", released), ("endOfStandardSupportDate", standard), ("endOfExtendedSupportDate", extended)]
        {
            value[member] = start(*day).map_or(Value::Null, seconds);
        }
    }
    value
}

pub(super) fn describe(context: &RequestContext<'_>) -> Result<Value, Fault> {
    context.allowed("DescribeClusterVersions", "*", &Tags::new())?;
    let given = |name: &str| context.request.parameter(name);
    let flag = |name: &str| given(name).is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    let names = context.request.parameters("clusterVersions");
    let (kind, only_default, all) = (given("clusterType"), flag("defaultOnly"), flag("includeAll"));
    let (version_status, status) = (given("versionStatus"), given("status"));
    let list = VERSIONS
        .iter()
        .rev()
        .map(|version| value(version, context.call.now))
        .filter(|one| names.is_empty() || names.iter().any(|name| one["clusterVersion"] == **name))
        .filter(|one| !only_default || one["defaultVersion"] == true)
        .filter(|one| kind.as_ref().is_none_or(|kind| one["clusterType"] == **kind))
        .filter(|one| version_status.as_ref().is_none_or(|status| one["versionStatus"] == **status))
        .filter(|one| status.as_ref().is_none_or(|status| one["status"] == **status))
        // What is out of support is shown to who wants all, or that.
        .filter(|one| {
            one["versionStatus"] != UNSUPPORTED
                || all
                || version_status.is_some()
                || status.is_some()
                || !names.is_empty()
        })
        .collect();
    page(context.request, "clusterVersions", list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_goes_from_standard_over_extended_support_to_none() {
        let on = |day: Date| status("1.34", start(day).unwrap());
        assert_eq!(on(date(2026, 12, 1)), STANDARD);
        assert_eq!(on(date(2026, 12, 2)), "EXTENDED_SUPPORT");
        assert_eq!(on(date(2027, 12, 2)), UNSUPPORTED);
        assert!(DATES.iter().all(|(version, ..)| VERSIONS.contains(version)));
    }
}
