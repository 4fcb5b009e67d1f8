//! What follows from answers of EC2, row by row.

use super::*;
use crate::ec2::Route;
use crate::error::Error;
use crate::preflight::Outcome;

fn subnet(id: &str, zone_id: &str, free: u32) -> Subnet {
    let zone = format!("ap-northeast-1{}", &zone_id[zone_id.len() - 1..]);
    Subnet { id: id.into(), vpc: "vpc-1".into(), zone, zone_id: zone_id.into(), free }
}

fn wanted(subnets: &[Subnet]) -> Cluster {
    Cluster {
        version: "1.35".into(),
        vpc: None,
        makes_network: false,
        subnets: subnets.iter().map(|subnet| subnet.id.clone()).collect(),
        pods: 7,
        millicpu: 1750,
    }
}

fn good() -> Vec<Subnet> {
    vec![subnet("subnet-a", "apne1-az1", 250), subnet("subnet-b", "apne1-az4", 250)]
}

fn problems(subnets: &[Subnet], change: impl Fn(&mut Cluster)) -> Vec<String> {
    let mut wanted = wanted(subnets);
    change(&mut wanted);
    let found = evaluate_subnets("ap-northeast-1", &wanted, subnets);
    let problems = found.into_iter().filter(Finding::is_problem);
    problems.inspect(|found| assert!(found.repair.is_some())).map(|found| found.text).collect()
}

#[test]
fn a_network_of_the_stacks_own_needs_two_zones_that_serve() {
    let zones = |ids: &[&str]| Ok(ids.iter().map(|id| ((*id).to_owned(), (*id).to_owned())).collect());
    let look = |ids| evaluate_zones("ap-northeast-1", zones(ids));
    assert_eq!(look(&["apne1-az1", "apne1-az3", "apne1-az4"]).outcome, Outcome::Fine);
    let one = look(&["apne1-az1", "apne1-az3"]);
    assert!(one.is_problem() && one.text.contains("has 1 zones"), "{one:?}");
    let refused =
        Error::Service { operation: "x", code: "UnauthorizedOperation".into(), message: "no".into(), status: 403 };
    assert!(evaluate_zones("ap-northeast-1", Err(refused)).outcome != Outcome::Fine);
}

#[test]
fn two_private_subnets_with_room_are_fine() {
    assert_eq!(problems(&good(), |_| {}), [""; 0]);
}

#[test]
fn each_fault_of_subnets_is_named() {
    let one_zone = vec![subnet("subnet-a", "apne1-az1", 250), subnet("subnet-b", "apne1-az1", 250)];
    assert!(problems(&one_zone, |_| {})[0].contains("all subnets are in zone"));
    let forbidden = vec![subnet("subnet-a", "apne1-az1", 250), subnet("subnet-b", "apne1-az3", 250)];
    assert_eq!(
        problems(&forbidden, |_| {}),
        ["subnet subnet-b is in zone ap-northeast-13 (apne1-az3), where Fargate is not offered"]
    );
    let full = vec![subnet("subnet-a", "apne1-az1", 5), subnet("subnet-b", "apne1-az4", 250)];
    assert_eq!(problems(&full, |_| {}), ["subnet subnet-a has 5 free addresses"]);
    let narrow = vec![subnet("subnet-a", "apne1-az1", 8), subnet("subnet-b", "apne1-az4", 10)];
    assert!(problems(&narrow, |_| {})[0].contains("have 6 free addresses beside those of EKS, and up to 7 pods"));
    let mut two_vpcs = good();
    two_vpcs[1].vpc = "vpc-2".into();
    assert_eq!(problems(&two_vpcs, |_| {}), ["the subnets are of different VPCs: vpc-1, vpc-2"]);
    assert_eq!(problems(&good(), |wanted| wanted.vpc = Some("vpc-9".into())).len(), 2);
    assert_eq!(problems(&good(), |wanted| wanted.vpc = Some("vpc-1".into())).len(), 0);
    let gone = problems(&good(), |wanted| wanted.subnets.push("subnet-c".into()));
    assert_eq!(gone, ["there is no subnet subnet-c in ap-northeast-1"]);
    let twice = problems(&good()[..1], |wanted| wanted.subnets.push("subnet-a".into()));
    assert!(twice[0].contains("at least two private subnets"), "{twice:?}");
    assert!(problems(&[], |_| {})[0].contains("at least two private subnets"));
}

#[test]
fn all_faults_come_in_one_list() {
    let bad = vec![subnet("subnet-a", "apne1-az3", 1), subnet("subnet-b", "apne1-az3", 2)];
    let found = problems(&bad, |wanted| wanted.subnets.push("subnet-c".into()));
    // One that is gone, one zone, two forbidden ones, two without room.
    assert_eq!(found.len(), 6, "{found:#?}");
}

fn route(destination: &str, target: &str) -> Route {
    Route { destination: destination.into(), target: target.into(), active: true }
}

fn table(id: &str, main: bool, subnets: &[&str], routes: Vec<Route>) -> RouteTable {
    RouteTable { id: id.into(), main, subnets: subnets.iter().map(|id| (*id).to_owned()).collect(), routes }
}

fn refused<T>() -> Result<T> {
    Err(Error::Service { operation: "ec2:X", code: "UnauthorizedOperation".into(), message: "no".into(), status: 403 })
}

fn vpc(tables: Vec<RouteTable>, endpoints: Vec<Endpoint>) -> Vpc {
    Vpc { tables: Ok(tables), endpoints: Ok(endpoints), dns_support: Ok(true), dns_hostnames: Ok(true) }
}

fn routes(vpc: &Vpc) -> Vec<Finding> {
    let subnets = good();
    evaluate_routes(&subnets.iter().collect::<Vec<_>>(), vpc)
}

fn nat() -> Vec<Route> {
    vec![route("10.0.0.0/16", "local"), route("0.0.0.0/0", "nat-1")]
}

#[test]
fn a_subnet_is_public_by_its_own_table_or_the_main_one() {
    let private = vpc(vec![table("rtb-main", true, &[], nat())], vec![]);
    assert_eq!(routes(&private)[0].outcome, Outcome::Fine);
    let internet = vec![route("10.0.0.0/16", "local"), route("0.0.0.0/0", "igw-1")];
    let main_is_public =
        vpc(vec![table("rtb-main", true, &[], internet.clone()), table("rtb-a", false, &["subnet-a"], nat())], vec![]);
    let found = routes(&main_is_public);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].text, "subnet subnet-b is public: its route table rtb-main leads to igw-1");
    // Any route to it counts, not only the default one.
    let part = vec![route("10.0.0.0/16", "local"), route("203.0.113.0/24", "igw-1"), route("0.0.0.0/0", "nat-1")];
    assert_eq!(
        routes(&vpc(vec![table("rtb-main", true, &[], part)], vec![])).iter().filter(|one| one.is_problem()).count(),
        2
    );
}

fn endpoint(service: &str, tables: Option<&str>) -> Endpoint {
    Endpoint {
        service: format!("com.amazonaws.ap-northeast-1.{service}"),
        state: "available".into(),
        private_dns: tables.is_none(),
        tables: tables.map(|table| vec![table.to_owned()]),
    }
}

#[test]
fn without_a_way_out_each_service_needs_an_endpoint() {
    let closed = || vec![table("rtb-main", true, &[], vec![route("10.0.0.0/16", "local")])];
    let found = routes(&vpc(closed(), vec![]));
    assert_eq!(found.len(), 2);
    assert!(found[0].text.ends_with("no endpoints for ecr.api, ecr.dkr, s3, sqs, sts"), "{found:?}");
    let mut all = vec![
        endpoint("ecr.api", None),
        endpoint("ecr.dkr", None),
        endpoint("s3", Some("rtb-main")),
        endpoint("sqs", None),
        endpoint("sts", None),
    ];
    assert_eq!(routes(&vpc(closed(), all.clone()))[0].outcome, Outcome::Fine);
    // One that is for other tables, one without its name, one that is not ready.
    all[2].tables = Some(vec!["rtb-other".into()]);
    all[3].private_dns = false;
    all[4].state = "pending".into();
    assert!(routes(&vpc(closed(), all))[0].text.ends_with("no endpoints for s3, sqs, sts"));
}

#[test]
fn a_nat_gateway_that_is_gone_is_a_black_hole() {
    let hole = vec![Route { active: false, ..route("0.0.0.0/0", "nat-1") }];
    let found = routes(&vpc(vec![table("rtb-main", true, &[], hole)], vec![]));
    assert!(found[0].text.contains("is a black hole: nat-1 is gone"), "{found:?}");
}

#[test]
fn a_refused_read_is_never_fine() {
    // EKS reads these with the caller's rights, so it fails later as well.
    let tables = Vpc { tables: refused(), ..vpc(vec![], vec![]) };
    let found = routes(&tables);
    assert!(found[0].is_problem() && found[0].text.contains("whether the subnets are private could not be checked"));
    let closed = vec![table("rtb-main", true, &[], vec![])];
    let endpoints = Vpc { endpoints: refused(), ..vpc(closed, vec![]) };
    assert!(routes(&endpoints).iter().all(|found| found.outcome == Outcome::Unchecked));
    let names = evaluate_names("vpc-1", &Vpc { dns_hostnames: refused(), ..vpc(vec![], vec![]) });
    assert_eq!((names.len(), names[0].outcome), (1, Outcome::Unchecked));
}

#[test]
fn names_must_resolve_in_the_vpc() {
    assert_eq!(evaluate_names("vpc-1", &vpc(vec![], vec![]))[0].outcome, Outcome::Fine);
    let off = Vpc { dns_support: Ok(false), dns_hostnames: Ok(false), ..vpc(vec![], vec![]) };
    let found = evaluate_names("vpc-1", &off);
    assert_eq!(found.iter().filter(|one| one.is_problem()).count(), 2);
    assert!(found[1].repair.as_deref().unwrap().contains("--enable-dns-hostnames"), "{found:?}");
}
