//! NATS: a stream of a single server, and one of a cluster, in which only the leader of the consumer counts right.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::scenarios::objects::Objects;
use crate::servers::scaling::Scaled;
use crate::servers::server::Server;

pub(crate) fn run(objects: &Objects<'_>, server: &Server) {
    let endpoint = |offset: u16| format!("127.0.0.1:{}", server.port + offset);
    let consumer = |offset: u16, account: &str, stream: &str, name: &str| {
        json!({
            "natsServerMonitoringEndpoint": endpoint(offset), "account": account, "stream": stream, "consumer": name,
            "lagThreshold": "5",
        })
    };
    let type_ = "nats-jetstream";
    let single = Scaled::new(objects, "single", type_, &consumer(1, "APP", "orders", "worker"), &[]);
    let cluster = Scaled::new(objects, "cluster", type_, &consumer(3, "APP", "orders", "worker"), &[]);
    let by_parameters = json!({"stream": "orders", "consumer": "worker", "lagThreshold": "5"});
    let parameters = [("natsServerMonitoringEndpoint", endpoint(1)), ("account", "APP".to_owned())];
    let parameters = parameters.each_ref().map(|(key, value)| (*key, value.as_str()));
    let by_parameters = Scaled::new(objects, "by-parameters", type_, &by_parameters, &parameters);
    let wrong = Scaled::new(objects, "wrong", type_, &consumer(1, "NOBODY", "orders", "worker"), &[]);
    let missing = Scaled::new(objects, "missing", type_, &consumer(3, "APP", "nowhere", "worker"), &[]);

    single.fails(&["stream not found", "check stream"]);
    wrong.fails(&["account \"NOBODY\" not found", "check account"]);
    missing.fails(&["stream not found"]);
    let all = [&single, &cluster, &by_parameters];
    let ports = [server.port, server.port + 2];
    for (port, replicas) in ports.into_iter().zip([1, 3]) {
        let mut client = Client::connect(port);
        let stream = json!({"name": "orders", "subjects": ["orders"], "storage": "file", "num_replicas": replicas});
        client.jetstream("STREAM.CREATE.orders", &stream);
        let config = json!({"durable_name": "worker", "ack_policy": "explicit", "ack_wait": 3_600_000_000_000_u64});
        client.jetstream("CONSUMER.DURABLE.CREATE.orders.worker", &json!({"stream_name": "orders", "config": config}));
    }
    let other = Scaled::new(objects, "other", type_, &consumer(1, "APP", "orders", "nobody"), &[]);
    other.fails(&["consumer \"nobody\" not found in stream \"orders\"", "check consumer"]);
    for scaled in all {
        scaled.is_ready();
        scaled.has(0);
    }
    for port in ports {
        let mut client = Client::connect(port);
        for number in 0..15 {
            client.jetstream_to("orders", &number.to_string());
        }
    }
    for scaled in all {
        scaled.has(3);
    }
    // What is delivered counts until it is acknowledged.
    let mut client = Client::connect(server.port);
    let delivered = client.next(15);
    Scaled::outlives(&all, server);
    single.has(3);
    let mut client = Client::connect(server.port);
    for acknowledgement in &delivered[..10] {
        client.request(acknowledgement, "+ACK");
    }
    single.has(1);
    for acknowledgement in &delivered[10..] {
        client.request(acknowledgement, "+ACK");
    }
    Client::connect(server.port + 2).jetstream("STREAM.PURGE.orders", &json!({}));
    for scaled in all {
        scaled.has(0);
    }
}

/// As much of a client as is needed: NATS speaks lines of text.
struct Client {
    connection: BufReader<TcpStream>,
}

/// The subject that the answers come to.
const INBOX: &str = "inbox";

impl Client {
    #[track_caller]
    fn connect(port: u16) -> Self {
        let connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
        connection.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let mut this = Self { connection: BufReader::new(connection) };
        let options = json!({"user": "sluice", "pass": "secret", "verbose": false, "pedantic": false});
        this.send(&format!("CONNECT {options}\r\nSUB {INBOX} 1\r\n"));
        this
    }

    fn send(&mut self, text: &str) {
        self.connection.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// The next message for the inbox: its reply subject, if it has one, and its body.
    #[track_caller]
    fn message(&mut self) -> (String, String) {
        loop {
            let mut line = String::new();
            assert!(self.connection.read_line(&mut line).unwrap() > 0, "NATS has closed the connection");
            let words: Vec<_> = line.split_whitespace().collect();
            match words[..] {
                ["MSG", _, _, .., length] => {
                    let mut body = vec![0; length.parse::<usize>().unwrap() + 2];
                    self.connection.read_exact(&mut body).unwrap();
                    let reply = if words.len() == 5 { words[3].to_owned() } else { String::new() };
                    return (reply, String::from_utf8(body).unwrap().trim_end().to_owned());
                }
                ["PING"] => self.send("PONG\r\n"),
                ["INFO", ..] | ["+OK"] => {}
                _ => panic!("NATS says {line}"),
            }
        }
    }

    /// Publishes, and waits for the answer.
    #[track_caller]
    fn request(&mut self, subject: &str, body: &str) -> String {
        self.send(&format!("PUB {subject} {INBOX} {}\r\n{body}\r\n", body.len()));
        self.message().1
    }

    /// A message of a stream, which JetStream confirms.
    #[track_caller]
    fn jetstream_to(&mut self, subject: &str, body: &str) {
        let answer: Value = serde_json::from_str(&self.request(subject, body)).unwrap();
        assert!(answer["error"].is_null() && answer["seq"].is_u64(), "{answer}");
    }

    /// A call of JetStream's API.
    #[track_caller]
    fn jetstream(&mut self, operation: &str, body: &Value) {
        let answer: Value =
            serde_json::from_str(&self.request(&format!("$JS.API.{operation}"), &body.to_string())).unwrap();
        assert!(answer["error"].is_null(), "{operation}: {answer}");
    }

    /// So many messages of the consumer; returns the subjects by which they are acknowledged.
    #[track_caller]
    fn next(&mut self, count: usize) -> Vec<String> {
        self.send(&format!(
            "PUB $JS.API.CONSUMER.MSG.NEXT.orders.worker {INBOX} {}\r\n{count}\r\n",
            count.to_string().len()
        ));
        (0..count).map(|_| self.message().0).collect()
    }
}
