//! The floors of the large crates: a file names what lies on its own floor or below it, and nothing above.
//!
//! What is asked and what is stored lies below what decides, and that below who dispatches.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::Imports;
use super::{product, root};

/// A crate's floors from the bottom up, each with its modules. A module stands for all modules inside it, save those that the
/// table names themselves. The crate's root lies above them all.
type Floors = &'static [&'static [&'static str]];

const FLOORS: &[(&str, Floors)] = &[
    (
        "local-apiserver",
        &[
            // Values, and what a server starts with.
            &["any_server", "cron", "error", "options", "protobuf", "quantity", "status", "user"],
            // Rules of schemas and cells of tables, which a kind carries along.
            &["crd::ratchet", "crd::rules", "table::age", "table::built_in"],
            &["kinds"],
            // What an object is, and where it is kept.
            &["crd", "object", "openapi", "selector", "store"],
            &["patch", "watch"],
            &["cluster"],
            &["request"],
            // Who asks, and what is allowed.
            &["authorization", "tokens"],
            // What is decided and shown.
            &["admission", "aggregation", "audit", "authentication", "logs", "table"],
            &["handlers"],
            // Who dispatches.
            &["client", "crd_finalizer", "server"],
        ],
    ),
    (
        "local-aws",
        &[
            // Values, and what a server starts with.
            &[
                "access_key",
                "control_plane",
                "denials",
                "error",
                "fault",
                "identifier",
                "issuer",
                "logs",
                "questions",
                "strings",
                "validation",
            ],
            // What is decided from values alone.
            &["policy"],
            // Who asks, and what.
            &["caller", "credential", "protocol::query", "request"],
            &["access_denied"],
            // What can be asked, and how it is answered.
            &["coverage", "intake", "model", "protocol"],
            // Blocks of addresses, and the network that nobody can change.
            &["ec2::cidr", "ec2::filter", "ec2::network"],
            // What answers in a service's place.
            &["fault_profile"],
            // What is stored.
            &[
                "cloudwatch_logs::faults",
                "cloudwatch_logs::group",
                "cloudwatch_logs::store",
                "ec2::store",
                "ecr::store",
                "eks::faults",
                "eks::repeated",
                "eks::store",
                "iam::builtin",
                "iam::model",
                "iam::store",
                "sqs::attempt",
                "sqs::input",
                "sqs::message",
                "sqs::move_task",
                "sqs::policy",
                "sqs::queue",
                "sqs::receipt_handle",
                "sqs::redrive",
                "sqs::settings",
                "sqs::store",
                "sts::session",
            ],
            &["cloud"],
            // Who is let in.
            &["authentication", "authorization"],
            // The services' operations.
            &["cloudwatch_logs", "ec2", "ecr", "eks", "iam", "quotas", "sqs", "sts", "tagging"],
            // What is logged of a call.
            &["trail", "wire"],
            // Who dispatches.
            &["server"],
        ],
    ),
    (
        "provision",
        &[
            // Values.
            &["action", "address", "event", "reference", "refreshed", "resource", "state", "store_error"],
            // What is decided from values alone.
            &["diff", "graph", "plan"],
            // What is read, kept and shown.
            &["lock", "refresh", "render", "store"],
            &["apply"],
        ],
    ),
];

/// What a crate's imports have against its floors.
fn faults(floors: &[&[&str]], imports: &Imports) -> BTreeSet<String> {
    let table: BTreeMap<&str, usize> =
        floors.iter().enumerate().flat_map(|(floor, names)| names.iter().map(move |name| (*name, floor))).collect();
    let files: BTreeSet<String> = imports.files().collect();
    let floor = |file: &str| {
        let parts: Vec<&str> = file.split("::").collect();
        let found = (1..=parts.len()).rev().find_map(|length| table.get(parts[..length].join("::").as_str()).copied());
        if file.is_empty() { Some(floors.len()) } else { found }
    };
    let mut faults: BTreeSet<String> =
        table.keys().filter(|name| !files.contains(**name)).map(|name| format!("no file is {name}")).collect();
    faults.extend(files.iter().filter(|file| floor(file).is_none()).map(|file| format!("{file} has no floor")));
    for (from, to) in imports.arrows() {
        if floor(&from) < floor(&to) {
            faults.insert(format!("crate::{from} names crate::{to}, which lies above it"));
        }
    }
    faults
}

#[test]
fn no_file_names_what_lies_above_it() {
    for (name, floors) in FLOORS {
        let faults = faults(floors, &Imports::of(&root().join("src").join(name).join("lib.rs"), product()));
        assert!(faults.is_empty(), "{name}: move what is named down, or who names it up: {faults:#?}");
    }
}

#[test]
fn an_import_upwards_a_file_without_a_floor_and_a_floor_without_a_file_are_faults() {
    let imports = Imports::of_texts(&[
        ("lib.rs", "mod store; mod handlers; mod stray; use handlers::handle;"),
        ("store.rs", "mod history; use crate::store::history::X; fn f(_: crate::Thing) {}"),
        ("store/history.rs", "use crate::handlers::handle;"),
        ("handlers.rs", "mod read; use crate::store::Store;"),
        ("handlers/read.rs", "use super::handle; use crate::store::Store;"),
        ("stray.rs", ""),
    ]);
    let found = faults(&[&["store"], &["gone", "handlers"]], &imports);
    let wanted = [
        "crate::store names crate::, which lies above it",
        "crate::store::history names crate::handlers, which lies above it",
        "no file is gone",
        "stray has no floor",
    ];
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
    // A part of a module may lie on another floor than the rest.
    let found = faults(&[&["store"], &["handlers", "stray"], &["store::history"]], &imports);
    assert!(found.contains("crate::store names crate::store::history, which lies above it"), "{found:#?}");
}
