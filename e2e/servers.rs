//! Triggers against the servers that they read: real ones, of Debian's packages, which `e2e/servers/` starts on loopback. The
//! operator is that of a stack on the local target, which all of them share.

mod postgresql;
mod rabbitmq;
mod redis;
mod scaling;
mod server;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::scenarios::objects::Objects;
use crate::scenarios::stage::Stage;
use crate::scenarios::suite::Suite;
use crate::servers::server::Server;
use crate::workspace::moment;

/// What is looked at on one server.
type Run = fn(&Objects<'_>, &Server);

/// The servers, by their scripts.
const SERVERS: [(&str, Run); 3] = [("rabbitmq", rabbitmq::run), ("redis", redis::run), ("postgresql", postgresql::run)];

#[test]
fn triggers_scale_by_real_servers() {
    let present: Vec<_> = SERVERS.iter().filter_map(|(name, run)| Some((Server::up(name)?, run))).collect();
    if present.is_empty() {
        return;
    }
    let stage = Stage::new(Suite::Local);
    stage.raise();
    let mut failed = Vec::new();
    for (server, run) in &present {
        let begun = moment();
        let objects = Objects::begin(&stage);
        let ended = catch_unwind(AssertUnwindSafe(|| run(&objects, server)));
        if let Err(why) = &ended {
            let why = why.downcast_ref::<String>().map_or("no words", String::as_str);
            failed.push(format!("{}: {why}\n{}", server.name, stage.describe()));
        }
        objects.end();
        println!("{} ({}): {} s", server.name, server.version, begun.elapsed().as_secs());
    }
    stage.lower();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    stage.workspace.nothing_is_left();
}
