//! Certificates are made once, kept while they are good, and renewed without a gap in trust.

use jiff::{SignedDuration, Timestamp};

use super::bundle::Bundle;

fn names() -> Vec<String> {
    ["svc", "svc.keda", "svc.keda.svc"].map(str::to_owned).to_vec()
}

fn at(days: i32) -> Timestamp {
    "2026-11-24T05:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24) * days
}

#[test]
fn a_fresh_bundle_is_good_for_its_names_until_it_is_to_be_renewed() {
    let bundle = Bundle::make(&names(), at(0), None).unwrap();
    assert!(bundle.is_good(&names(), at(0)));
    assert!(bundle.is_good(&names(), at(270)));
    assert!(!bundle.is_good(&names(), at(280)));
    assert!(!bundle.is_good(&["other.keda.svc".to_owned()], at(0)));
}

#[test]
fn renewal_keeps_the_authority_until_that_would_expire_first() {
    let first = Bundle::make(&names(), at(0), None).unwrap();
    let second = Bundle::make(&names(), at(280), Some(&first)).unwrap();
    assert_eq!(first.authority_pem, second.authority_pem);
    assert!(second.is_good(&names(), at(280)));
    let third = Bundle::make(&names(), at(3500), Some(&second)).unwrap();
    assert!(third.is_good(&names(), at(3500)));
    assert_eq!(third.authority_pem.matches("BEGIN CERTIFICATE").count(), 2, "the old one stays trusted");
}

#[test]
fn what_lies_in_the_secret_is_read_back() {
    let bundle = Bundle::make(&names(), at(0), None).unwrap();
    let data = bundle.to_data().map(|(key, pem)| (key.to_owned(), k8s_openapi::ByteString(pem.into_bytes())));
    assert_eq!(Bundle::from_data(&data.into()), Some(bundle.clone()));
    assert!(!format!("{bundle:?}").contains("PRIVATE"));
}
