//! RabbitMQ: queues as its management API shows them.

use std::process::Command;

use serde_json::json;

use crate::scenarios::objects::Objects;
use crate::servers::scaling::Scaled;
use crate::servers::server::{self, Server};

const USER: [(&str, &str); 2] = [("username", "sluice"), ("password", "secret")];

pub(crate) fn run(objects: &Objects<'_>, server: &Server) {
    let api = format!("127.0.0.1:{}", server.port + 2);
    let host = format!("http://{api}");
    let queue = |name: &str| json!({"host": host, "queueName": name, "mode": "QueueLength", "value": "5"});
    let length = Scaled::new(objects, "length", "rabbitmq", &queue("orders"), &USER);
    let in_url = format!("http://sluice:secret@{api}/%2F");
    let by_url = json!({"queueName": "orders", "mode": "QueueLength", "value": "5"});
    let by_url = Scaled::new(objects, "by-url", "rabbitmq", &by_url, &[("host", &in_url)]);
    let mut expression = queue("^or.*s$");
    expression["useRegex"] = "true".into();
    let expression = Scaled::new(objects, "expression", "rabbitmq", &expression, &USER);
    let wrong = [USER[0], ("password", "secretly wrong")];
    let wrong = Scaled::new(objects, "wrong", "rabbitmq", &queue("orders"), &wrong);
    let missing = Scaled::new(objects, "missing", "rabbitmq", &queue("nowhere"), &USER);

    wrong.fails(&["RabbitMQ queue \"orders\"", "401", "check username and password"]);
    missing.fails(&["404", "check queueName"]);
    let ask = |method: &str, path: &str, body: &str| {
        let url = format!("http://{api}/api/{path}");
        let mut command = Command::new("curl");
        server::run(command.args(["-sSf", "-u", "sluice:secret", "-X", method, "-d", body, &url]))
    };
    ask("PUT", "queues/%2F/orders", r#"{"durable":true}"#);
    let all = [&length, &by_url, &expression];
    for scaled in all {
        scaled.is_ready();
        scaled.has(0);
    }
    let message =
        r#"{"properties":{"delivery_mode":2},"routing_key":"orders","payload":"x","payload_encoding":"string"}"#;
    for _ in 0..15 {
        ask("POST", "exchanges/%2F/amq.default/publish", message);
    }
    for scaled in all {
        scaled.has(3);
    }
    Scaled::outlives(&all, server);
    ask("DELETE", "queues/%2F/orders/contents", "");
    for scaled in all {
        scaled.has(0);
    }
}
