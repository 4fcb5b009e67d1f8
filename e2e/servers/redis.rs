//! Redis: lists and streams on a single server, by TLS, on a cluster and by a sentinel.

use std::process::Command;

use serde_json::json;

use crate::scenarios::objects::Objects;
use crate::servers::scaling::Scaled;
use crate::servers::server::{self, Server};

/// What the scripts give every server.
const USER: [(&str, &str); 2] = [("username", "sluice"), ("password", "secret")];
const PASSWORD: [(&str, &str); 1] = [("password", "secret")];

pub(crate) fn run(objects: &Objects<'_>, server: &Server) {
    let at = |offset: u16| format!("127.0.0.1:{}", server.port + offset);
    let list = |address: String| json!({"address": address, "listName": "orders", "listLength": "5"});
    let single = Scaled::new(objects, "list", "redis", &list(at(0)), &USER);
    let wrong = Scaled::new(objects, "wrong", "redis", &list(at(0)), &[("password", "secretly wrong")]);
    let mut by_tls = list(at(1));
    by_tls["enableTLS"] = "true".into();
    let distrusted = Scaled::new(objects, "distrusted", "redis", &by_tls, &USER);
    let certificates = ["ca.crt", "client.crt", "client.key"].map(|name| server.file(name));
    let trust = [("ca", certificates[0].as_str()), ("cert", &certificates[1]), ("key", &certificates[2])];
    let trusted = Scaled::new(objects, "trusted", "redis", &by_tls, &[USER.as_slice(), &trust].concat());
    by_tls["unsafeSsl"] = "true".into();
    let unsafely = Scaled::new(objects, "unsafely", "redis", &by_tls, &USER);
    let cluster = Scaled::new(objects, "cluster", "redis-cluster", &list(at(2)), &PASSWORD);
    let mut by_sentinel = list(at(4));
    by_sentinel["sentinelMaster"] = "sluice".into();
    let sentinel_password = [PASSWORD[0], ("sentinelPassword", "secret")];
    let sentinel = Scaled::new(objects, "sentinel", "redis-sentinel", &by_sentinel, &sentinel_password);
    let mut unknown = by_sentinel.clone();
    unknown["sentinelMaster"] = "nobody".into();
    let unknown = Scaled::new(objects, "unknown", "redis-sentinel", &unknown, &sentinel_password);
    let stream = |more: &str, target: &str| {
        let mut metadata = json!({"address": at(0), "stream": "events", target: "4"});
        if !more.is_empty() {
            metadata["consumerGroup"] = more.into();
        }
        metadata
    };
    let length = Scaled::new(objects, "length", "redis-streams", &stream("", "streamLength"), &PASSWORD);
    let lag = Scaled::new(objects, "lag", "redis-streams", &stream("group", "lagCount"), &PASSWORD);
    let group = stream("group", "pendingEntriesCount");
    let pending = Scaled::new(objects, "pending", "redis-streams", &group, &PASSWORD);

    // There is no stream yet, so there is no group of it either; a list that does not exist is empty.
    pending.fails(&["pending entries of the consumer group \"group\"", "\"events\"", "NOGROUP"]);
    wrong.fails(&["the redis list \"orders\"", "authentication failed", "check username and password"]);
    distrusted.fails(&["check that the address can be reached", "certificate"]);
    unknown.fails(&["check sentinelMaster"]);
    let lists = [&single, &trusted, &unsafely, &sentinel];
    for scaled in lists.into_iter().chain([&cluster, &length, &lag]) {
        scaled.is_ready();
        scaled.has(0);
    }

    let ask = |port: u16, words: &str| {
        let mut command = Command::new("redis-cli");
        command.env("REDISCLI_AUTH", "secret").args(["-e", "-p", &port.to_string()]).args(words.split(' '));
        server::run(&mut command)
    };
    for port in [server.port, server.port + 2] {
        ask(port, &format!("rpush orders {}", "x ".repeat(15).trim()));
    }
    // The groups begin at the first entry.
    ask(server.port, "xgroup create events group 0 mkstream");
    for number in 0..12 {
        ask(server.port, &format!("xadd events * number {number}"));
    }
    for scaled in lists.into_iter().chain([&cluster, &length, &lag]) {
        scaled.has(3);
    }
    ask(server.port, "xreadgroup group group me count 8 streams events >");
    lag.has(1);
    pending.has(2);
    Scaled::outlives(&[&single, &sentinel, &cluster, &length], server);
    for port in [server.port, server.port + 2] {
        ask(port, "del orders");
    }
    ask(server.port, "xtrim events maxlen 0");
    ask(server.port, "xgroup destroy events group");
    for scaled in lists.into_iter().chain([&cluster, &length, &lag]) {
        scaled.has(0);
    }
}
