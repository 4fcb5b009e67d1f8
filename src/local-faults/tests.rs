//! What text chooses which faults, and what a seed decides.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[test]
fn text_chooses_all_faults_or_single_ones_and_a_seed() {
    let all: Faults = "aws:7".parse().unwrap();
    assert!(Kind::ALL.into_iter().all(|kind| all.has(kind) != kind.stands()));
    assert_eq!(all.to_string(), "aws:7");
    let more: Faults = "aws,subnets-public:7".parse().unwrap();
    assert!(more.has(Kind::SubnetsPublic) && more.has(Kind::Slow) && !more.has(Kind::NoWayOut));
    assert_eq!(more.to_string(), "aws,subnets-public:7");
    let two: Faults = "queues-late, roles-late".parse().unwrap();
    assert!(two.has(Kind::RolesLate) && two.has(Kind::QueuesLate) && !two.has(Kind::Slow));
    assert_eq!(two.to_string(), "roles-late,queues-late:0");
    assert!(Faults::default().is_empty());
}

#[test]
fn a_slip_is_refused_with_what_there_is() {
    let unknown = "weather".parse::<Faults>().unwrap_err().to_string();
    assert!(unknown.contains("`weather`") && unknown.contains("roles-late"), "{unknown}");
    let seed = "aws:x".parse::<Faults>().unwrap_err().to_string();
    assert!(seed.contains("`x`") && seed.contains("aws:7"), "{seed}");
    assert!("".parse::<Faults>().is_err());
}

#[test]
fn a_fault_that_was_not_chosen_takes_no_time_and_never_strikes() {
    let faults: Faults = "throttling".parse().unwrap();
    assert_eq!(faults.lasts(Kind::RolesLate, "x"), Duration::ZERO);
    assert!(!faults.strikes(Kind::IamBusy, "x", 0, 1));
    assert!(faults.strikes(Kind::Throttling, "x", 0, 1));
}

proptest! {
    #[test]
    fn the_same_seed_decides_the_same_and_stays_within_its_bounds(seed: u64, of in "[a-z-]{1,20}") {
        let faults: Faults = format!("aws:{seed}").parse().unwrap();
        let again: Faults = faults.to_string().parse().unwrap();
        for kind in Kind::ALL {
            let lasts = faults.lasts(kind, &of);
            prop_assert_eq!(lasts, again.lasts(kind, &of));
            let (least, most) = kind.lasts().into_inner();
            prop_assert!(lasts >= Duration::from_secs(least) && lasts <= Duration::from_secs(most));
        }
    }
}

#[test]
fn seeds_and_names_differ_in_what_they_decide() {
    let lasts = |seed: u64, of: &str| format!("aws:{seed}").parse::<Faults>().unwrap().lasts(Kind::EndpointLate, of);
    let by_seed: BTreeSet<Duration> = (0..20).map(|seed| lasts(seed, "demo")).collect();
    let by_name: BTreeSet<Duration> = (0..20).map(|n| lasts(1, &format!("demo-{n}"))).collect();
    assert!(by_seed.len() > 15 && by_name.len() > 15, "{by_seed:?} {by_name:?}");
}

#[test]
fn the_documents_list_every_fault() {
    let rows = Kind::ALL.into_iter().map(|kind| {
        let (least, most) = kind.lasts().into_inner();
        let lasts = if most == 0 { "always".to_owned() } else { format!("{least}–{most} s") };
        format!("| `{}` | {} | {lasts} | {} |\n", kind.name(), kind.about(), kind.source())
    });
    let expected =
        format!("| Fault | What happens | For | Known from |\n|---|---|---|---|\n{}", rows.collect::<String>());
    let document = include_str!("../../docs/faults.md");
    assert!(document.contains(&expected), "docs/faults.md must hold:\n{expected}");
}
