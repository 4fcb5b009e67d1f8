//! The dated table of EKS's Kubernetes versions.
//!
//! Source: AWS's release calendar (`docs/rules.md#eks-kubernetes-versions`), as of November 2026 (14 months of standard
//! support, 12 of extended). The table is data of the binary. A version that is newer than all of it is taken with a warning:
//! EKS adds some every year, and its own list says whether there is one. Any other that is not in it is refused.

use jiff::civil::{Date, date};

/// The version used if none is named: the newest in standard support known when this was built.
pub const DEFAULT: &str = "1.35";

/// How many minor versions the table may be behind: EKS adds three a year, and what is further on is a slip.
const NEWER_MAX: u32 = 6;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    /// Minor version, `1.35`.
    pub name: &'static str,
    /// Last day of standard support.
    pub standard_until: Date,
    /// Last day of extended support, at six times the control plane's price.
    pub extended_until: Date,
}

/// All versions known, oldest first.
pub const TABLE: [Version; 7] = [
    row("1.29", date(2025, 3, 23), date(2026, 3, 23)),
    row("1.30", date(2025, 7, 23), date(2026, 7, 23)),
    row("1.31", date(2025, 11, 26), date(2026, 11, 26)),
    row("1.32", date(2026, 3, 23), date(2027, 3, 23)),
    row("1.33", date(2026, 7, 29), date(2027, 7, 29)),
    row("1.34", date(2026, 12, 2), date(2027, 12, 2)),
    row("1.35", date(2027, 3, 27), date(2028, 3, 27)),
];

const fn row(name: &'static str, standard_until: Date, extended_until: Date) -> Version {
    Version { name, standard_until, extended_until }
}

/// What EKS offers for a version on a day.
#[derive(Debug, Clone, Copy)]
pub enum Support {
    /// Newer than the table.
    Newer,
    /// Not in the table.
    Unknown,
    /// In standard support.
    Standard,
    /// In extended support.
    Extended(Version),
    /// No longer to be had.
    Expired(Version),
}

/// The support that the version has on `today`.
pub fn support(name: &str, today: Date) -> Support {
    let Some(version) = TABLE.into_iter().find(|version| version.name == name) else {
        let newest = TABLE.last().and_then(|version| minor(version.name));
        let plausible = |newest: u32| newest + 1..=newest + NEWER_MAX;
        let is_newer = newest.zip(minor(name)).is_some_and(|(newest, number)| plausible(newest).contains(&number));
        return if is_newer { Support::Newer } else { Support::Unknown };
    };
    if today <= version.standard_until {
        Support::Standard
    } else if today <= version.extended_until {
        Support::Extended(version)
    } else {
        Support::Expired(version)
    }
}

/// The number behind `1.`, as EKS writes it.
fn minor(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("1.")?;
    let is_plain = (2..=3).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|_| is_plain && !digits.starts_with('0'))
}

/// The versions that can still be created on `today`, newest first.
pub fn available(today: Date) -> Vec<&'static str> {
    TABLE.iter().rev().filter(|version| today <= version.extended_until).map(|version| version.name).collect()
}
