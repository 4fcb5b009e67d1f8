//! Triggers against the servers that they read: real ones, of Debian's packages, which `e2e/servers/` starts on loopback. The
//! operator is that of a stack on the local target, which all of them share.

mod kubernetes_resource;
mod nats;
mod postgresql;
mod rabbitmq;
mod redis;
mod scaling;
mod server;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::scenarios::env;
use crate::scenarios::objects::Objects;
use crate::scenarios::stage::Stage;
use crate::scenarios::suite::Suite;
use crate::servers::server::Server;
use crate::workspace::moment;

/// What is looked at.
enum Run {
    /// On the server that the script of that name starts.
    Server(fn(&Objects<'_>, &Server)),
    /// On the stack's own API server.
    Stack(fn(&Objects<'_>)),
}

const RUNS: [(&str, Run); 5] = [
    ("kubernetes-resource", Run::Stack(kubernetes_resource::run)),
    ("nats", Run::Server(nats::run)),
    ("rabbitmq", Run::Server(rabbitmq::run)),
    ("redis", Run::Server(redis::run)),
    ("postgresql", Run::Server(postgresql::run)),
];

#[test]
fn triggers_scale_by_real_servers() {
    let only = env::text(env::SERVERS);
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only.split(',').any(|one| one == name));
    // Those of the servers that start.
    let runs: Vec<_> = RUNS
        .iter()
        .filter(|(name, _)| wanted(name))
        .filter_map(|(name, run)| match run {
            Run::Server(_) => Some((*name, run, Some(Server::up(name)?))),
            Run::Stack(_) => Some((*name, run, None)),
        })
        .collect();
    assert!(!runs.is_empty(), "{} names none of what is looked at", env::SERVERS);
    let stage = Stage::new(Suite::Local);
    stage.raise();
    let mut failed = Vec::new();
    for (name, run, server) in &runs {
        let begun = moment();
        let objects = Objects::begin(&stage);
        let ended = catch_unwind(AssertUnwindSafe(|| match (run, server) {
            (Run::Server(run), Some(server)) => run(&objects, server),
            (Run::Stack(run), _) => run(&objects),
            (Run::Server(_), None) => panic!("it was not started"),
        }));
        if let Err(why) = &ended {
            let why = why.downcast_ref::<String>().map_or("no words", String::as_str);
            failed.push(format!("{name}: {why}\n{}", stage.describe()));
        }
        objects.end();
        let version = server.as_ref().map_or("the stack's API server", |server| &server.version);
        println!("{name} ({version}): {} s", begun.elapsed().as_secs());
    }
    stage.lower();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    stage.workspace.nothing_is_left();
}
