//! Connections that die without a word, as behind a load balancer whose API server was replaced.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::scenarios::clients::OPERATOR;
use crate::scenarios::env;
use crate::scenarios::objects::{Objects, apps, keda};
use crate::scenarios::stage::Stage;
use crate::scenarios::suite::Suite;
use crate::workspace::wait_until;

/// Real time for which the connections of one moment are silent.
const SILENCE: Duration = Duration::from_mins(1);
/// Real time between two looks at whether a connection is silent.
const LOOK: Duration = Duration::from_millis(20);

/// Hands TCP connections on, until they are silenced: those of that moment stay open and carry nothing any more. New ones are
/// served.
struct Proxy {
    port: u16,
    /// Connections that began before this count are silent.
    silent_below: Arc<AtomicU64>,
    begun: Arc<AtomicU64>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    fn start(bind: &str, behind: SocketAddr) -> Self {
        let listener = TcpListener::bind((bind, 0)).unwrap();
        let this = Self {
            port: listener.local_addr().unwrap().port(),
            silent_below: Arc::default(),
            begun: Arc::default(),
            open: Arc::default(),
        };
        let (silent_below, begun, open) =
            (Arc::clone(&this.silent_below), Arc::clone(&this.begun), Arc::clone(&this.open));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(behind) else { continue };
                let number = begun.fetch_add(1, Ordering::AcqRel);
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let silent_below = Arc::clone(&silent_below);
                    std::thread::spawn(move || carry(from, to, || number < silent_below.load(Ordering::Acquire)));
                }
                open.lock().unwrap().extend([client, server]);
            }
        });
        this
    }

    /// Silences every connection of this moment; returns how many there were.
    fn silence(&self) -> u64 {
        let count = self.begun.load(Ordering::Acquire);
        self.silent_below.store(count, Ordering::Release);
        count
    }

    fn connections(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Carries bytes one way; what is silent is read and dropped, and its end is not handed on either.
fn carry(mut from: TcpStream, mut to: TcpStream, is_silent: impl Fn() -> bool) {
    let mut buffer = [0; 16 * 1024];
    from.set_read_timeout(Some(LOOK)).unwrap();
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) if is_silent() => {}
            Ok(count) => {
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    if !is_silent() {
        let _ = to.shutdown(Shutdown::Both);
    }
}

/// Where the proxy listens and what lies behind it.
fn addresses(stage: &Stage) -> (String, SocketAddr) {
    let server = stage.clients().server();
    let port = server.port_u16().unwrap_or(443);
    let bind = if stage.suite == Suite::Local { "127.0.0.1".to_owned() } else { env::text(env::BIND).unwrap() };
    (bind, SocketAddr::new(server.host().unwrap().parse().unwrap(), port))
}

/// The operator's connections to the API server fall silent for a minute: its polls and finalizers go on.
pub(crate) fn connections(stage: &Stage) {
    let objects = Objects::begin(stage);
    let (bind, behind) = addresses(stage);
    let proxy = Proxy::start(&bind, behind);
    for name in ["polled", "ended"] {
        objects.deployment(name, 0);
    }
    let url = objects.scaled("polled", "polled", &json!({}));
    objects.scaled("ended", "ended", &json!({}));
    // A lease that is lost would end the process, and its successor would have new connections: this is about one process.
    let [lease, deadline] = stage.long_lease();
    let environment = [
        ("KUBERNETES_SERVICE_HOST", bind),
        ("KUBERNETES_SERVICE_PORT", proxy.port.to_string()),
        ("KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION", lease),
        ("KEDA_OPERATOR_LEADER_ELECTION_RENEW_DEADLINE", deadline),
    ];
    let before = stage.operator();
    objects.operator_with(&environment);
    stage.expect("an operator by the proxy", 240, || {
        (stage.operator() != before && proxy.connections() > 0).then_some(())
    });
    let operator = stage.operator();
    let restarts = || {
        let pods = objects.clients.pods(OPERATOR).ok()?;
        let pod = pods.into_iter().find(|pod| pod.metadata.name.as_deref() == Some(&operator))?;
        Some(pod.status?.container_statuses?.first()?.restart_count)
    };
    for name in ["polled", "ended"] {
        objects.is_ready(name, "True");
    }
    let counted = restarts().unwrap();
    let silenced = proxy.silence();
    objects.clients.send(&url, 3).unwrap();
    objects.delete(&format!("{}/ended", keda("scaledobjects")));
    let target = format!("{}/polled", apps("deployments"));
    let deleted = format!("{}/ended", keda("scaledobjects"));
    let (mut polled, mut ended) = (false, false);
    // Those connections are silent for as long as the proxy lives; the operator has a minute, and what a busy machine takes.
    let went_on = wait_until("the poll and the finalizer", 2 * SILENCE, || {
        polled |= objects.size(&target).is_ok_and(|(replicas, _)| replicas > 0);
        ended |= objects.get(&deleted).is_err_and(|why| why.contains("not found"));
        (polled && ended).then_some(())
    });
    went_on.unwrap_or_else(|why| {
        panic!("{why}: polled {polled}, finalizer gone {ended}; {silenced} connections were silent")
    });
    assert_eq!(restarts(), Some(counted), "another process did it");
    stage.note(format!(
        "{silenced} connections silent, {} more made; both went on in one process",
        proxy.connections() - silenced
    ));
    objects.end();
    objects.operator_without(&environment);
    stage.is_ready();
}
