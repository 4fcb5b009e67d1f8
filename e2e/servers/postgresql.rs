//! PostgreSQL: a table of tasks, plain and by TLS.

use std::process::Command;

use serde_json::json;

use crate::scenarios::objects::Objects;
use crate::servers::scaling::Scaled;
use crate::servers::server::{self, Server};

const QUERY: &str = "SELECT COUNT(*) FROM tasks WHERE NOT done";

pub(crate) fn run(objects: &Objects<'_>, server: &Server) {
    let metadata = |query: &str, sslmode: &str| {
        json!({
            "host": "127.0.0.1", "port": server.port.to_string(), "userName": "sluice", "dbName": "sluice",
            "sslmode": sslmode, "query": query, "targetQueryValue": "5",
        })
    };
    let password = [("password", "secret")];
    let plain = Scaled::new(objects, "plain", "postgresql", &metadata(QUERY, "disable"), &password);
    let encrypted = Scaled::new(objects, "encrypted", "postgresql", &metadata(QUERY, "require"), &password);
    let distrusted = Scaled::new(objects, "distrusted", "postgresql", &metadata(QUERY, "verify-full"), &password);
    let wrong = [("password", "secretly wrong")];
    let wrong = Scaled::new(objects, "wrong", "postgresql", &metadata(QUERY, "disable"), &wrong);
    let missing =
        Scaled::new(objects, "missing", "postgresql", &metadata("SELECT * FROM nowhere", "disable"), &password);
    let nothing = metadata("SELECT NULL::int", "disable");
    let nothing = Scaled::new(objects, "nothing", "postgresql", &nothing, &password);
    let connection = format!("postgresql://sluice:secret@127.0.0.1:{}/sluice?sslmode=prefer", server.port);
    let by_url = json!({"query": QUERY, "targetQueryValue": "5"});
    let by_url = Scaled::new(objects, "by-url", "postgresql", &by_url, &[("connection", &connection)]);

    // The table does not exist yet.
    plain.fails(&["relation \"tasks\" does not exist", "check the query"]);
    wrong.fails(&["password authentication failed", "check userName and password"]);
    distrusted.fails(&["invalid peer certificate", "sslmode"]);
    missing.fails(&["relation \"nowhere\" does not exist"]);
    nothing.fails(&["the query gives NULL"]);
    let ask = |text: &str| {
        let mut command = Command::new("psql");
        let port = server.port.to_string();
        command.env("PGPASSWORD", "secret").args(["-h", "127.0.0.1", "-p", &port, "-U", "sluice", "-d", "sluice"]);
        server::run(command.args(["-v", "ON_ERROR_STOP=1", "-c", text]))
    };
    ask("CREATE TABLE tasks (id serial, done boolean NOT NULL DEFAULT false)");
    let all = [&plain, &encrypted, &by_url];
    for scaled in all {
        scaled.is_ready();
        scaled.has(0);
    }
    ask("INSERT INTO tasks SELECT FROM generate_series(1, 15)");
    for scaled in all {
        scaled.has(3);
    }
    Scaled::outlives(&all, server);
    ask("UPDATE tasks SET done = true");
    for scaled in all {
        scaled.has(0);
    }
}
