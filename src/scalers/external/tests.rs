//! Against a gRPC server on loopback that says what the test sets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use clock::ClockHandle;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tonic::body::Body;
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::{Request, Response};
use tonic_prost::ProstCodec;

use super::messages::{GetMetricSpecResponse, GetMetricsResponse, IsActiveResponse, MetricSpec, MetricValue};
use super::*;
use crate::scripted::{context_with, map};

/// What the server says.
#[derive(Clone)]
struct Says {
    specs: Vec<MetricSpec>,
    values: Vec<MetricValue>,
    active: watch::Receiver<bool>,
    /// No call is answered.
    is_silent: bool,
    /// Each call with its metadata.
    seen: Arc<Mutex<Vec<(String, ScaledObjectRef)>>>,
}

impl Says {
    fn new(active: &watch::Sender<bool>) -> Self {
        let spec = |name: &str, whole, fraction| MetricSpec {
            metric_name: name.to_owned(),
            target_size: whole,
            target_size_float: fraction,
        };
        let value = |whole, fraction| MetricValue {
            metric_name: "m".to_owned(),
            metric_value: whole,
            metric_value_float: fraction,
        };
        Self {
            specs: vec![spec("a.b", 4, 0.0), spec("c", 1, 2.5)],
            values: vec![value(3, 0.0), value(1, 0.5)],
            active: active.subscribe(),
            is_silent: false,
            seen: Arc::default(),
        }
    }

    async fn called(&self, call: &str, of: ScaledObjectRef) {
        self.seen.lock().unwrap().push((call.to_owned(), of));
        if self.is_silent {
            std::future::pending::<()>().await;
        }
    }
}

struct Unary<Q, A>(Says, fn(&Says, &Q) -> (&'static str, ScaledObjectRef, A));

impl<Q: Send + 'static, A: Send + 'static> UnaryService<Q> for Unary<Q, A> {
    type Response = A;
    type Future = BoxFuture<'static, Result<Response<A>, Status>>;

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let says = self.0.clone();
        let (call, of, answer) = (self.1)(&says, request.get_ref());
        Box::pin(async move {
            says.called(call, of).await;
            Ok(Response::new(answer))
        })
    }
}

struct Stream(Says);

impl ServerStreamingService<ScaledObjectRef> for Stream {
    type Response = IsActiveResponse;
    type ResponseStream = BoxStream<'static, Result<IsActiveResponse, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<ScaledObjectRef>) -> Self::Future {
        let says = self.0.clone();
        Box::pin(async move {
            says.called("StreamIsActive", request.into_inner()).await;
            let said = stream::unfold((says.active, true), |(mut active, is_first)| async move {
                if !is_first {
                    active.changed().await.ok()?;
                }
                let result = *active.borrow_and_update();
                Some((Ok(IsActiveResponse { result }), (active, false)))
            });
            Ok(Response::new(said.boxed()))
        })
    }
}

async fn answer(says: Says, request: hyper::Request<Incoming>) -> Result<hyper::Response<Body>, Infallible> {
    let request = request.map(Body::new);
    Ok(match request.uri().path().rsplit('/').next().unwrap_or_default() {
        "IsActive" => {
            let active: fn(&Says, &ScaledObjectRef) -> _ =
                |says, of| ("IsActive", of.clone(), IsActiveResponse { result: *says.active.borrow() });
            Grpc::new(ProstCodec::default()).unary(Unary(says, active), request).await
        }
        "GetMetricSpec" => {
            let specs: fn(&Says, &ScaledObjectRef) -> _ =
                |says, of| ("GetMetricSpec", of.clone(), GetMetricSpecResponse { metric_specs: says.specs.clone() });
            Grpc::new(ProstCodec::default()).unary(Unary(says, specs), request).await
        }
        "GetMetrics" => {
            let values: fn(&Says, &GetMetricsRequest) -> _ = |says, request| {
                let call = if request.metric_name == "a.b" { "GetMetrics a.b" } else { "GetMetrics" };
                let of = request.scaled_object_ref.clone().unwrap_or_default();
                (call, of, GetMetricsResponse { metric_values: says.values.clone() })
            };
            Grpc::new(ProstCodec::default()).unary(Unary(says, values), request).await
        }
        _ => Grpc::new(ProstCodec::default()).server_streaming(Stream(says), request).await,
    })
}

/// A server; dropped, it is killed with all its connections.
struct Server {
    address: SocketAddr,
    /// How many connections it had.
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(says: Says, tls: Option<TlsAcceptor>) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), says, tls).await
    }

    async fn start_at(address: SocketAddr, says: Says, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(socket, says.clone(), tls.clone()));
            }
        });
        Self { address, accepted, task }
    }

    /// Where it was: nothing listens there any more.
    async fn kill(mut self) -> SocketAddr {
        self.task.abort();
        let _ = (&mut self.task).await;
        self.address
    }

    async fn trigger(
        &self,
        more: &[(&str, &str)],
        authentication: &[(&str, &str)],
        clock: Clock,
        type_: &str,
    ) -> Result<External> {
        let mut metadata = map(more);
        metadata.insert("scalerAddress".to_owned(), format!("localhost:{}", self.address.port()));
        let trigger = ScaleTriggers { type_: type_.to_owned(), metadata, ..Default::default() };
        let mut context = context_with(clock).await;
        context.environment = map(&[("TOKEN", "secret")]);
        context.authentication = map(authentication);
        External::new(&trigger, 3, &context, type_ == PUSH)
    }
}

async fn serve(socket: TcpStream, says: Says, tls: Option<TlsAcceptor>) {
    let service = service_fn(move |request| answer(says.clone(), request));
    let builder = Builder::new(TokioExecutor::new()).http2_only();
    let _ = match tls {
        None => builder.serve_connection(TokioIo::new(socket), service).await,
        Some(tls) => match tls.accept(socket).await {
            Ok(socket) => builder.serve_connection(TokioIo::new(socket), service).await,
            Err(_) => Ok(()),
        },
    };
}

/// A server's certificate of its own, and the same in PEM.
fn certificate() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

/// Lets system time pass for as long as `work` takes.
async fn passing<T>(handle: &ClockHandle, work: impl Future<Output = T>) -> T {
    let pass = async {
        loop {
            tokio::task::yield_now().await;
            handle.advance(Duration::from_millis(100));
        }
    };
    let work = async {
        tokio::select! {
            biased;
            done = work => done,
            () = pass => unreachable!("time passes for ever"),
        }
    };
    Clock::real().timeout(Duration::from_mins(1), work).await.unwrap()
}

#[tokio::test]
async fn a_server_says_the_metrics_their_values_and_whether_it_is_active() {
    let (active, _) = watch::channel(false);
    let says = Says::new(&active);
    let server = Server::start(says.clone(), None).await;
    let more = [("queue", "orders"), ("tokenFromEnv", "TOKEN"), ("otherFromEnv", "NONE")];
    let scaler = server.trigger(&more, &[], Clock::real(), TYPE).await.unwrap();
    let specs = scaler.specs().await.unwrap();
    let spec = |name: &str, number| Spec { name: name.to_owned(), target: Target::AverageValue(number) };
    assert_eq!(specs, [spec("s3-a.b", 4.0), spec("s3-c", 2.5)]);
    for is_active in [false, true] {
        active.send_replace(is_active);
        let samples = scaler.read(Duration::ZERO).await.unwrap();
        let (name, sample) = &samples.by_metric[0];
        let sample = sample.as_ref().unwrap();
        assert_eq!((name.as_str(), sample.active), ("s3-a.b", is_active));
        assert!((sample.value - 3.5).abs() < 1e-9, "the old field of one value, the new one of the other: {sample:?}");
    }
    let seen = says.seen.lock().unwrap().clone();
    let (_, of) = &seen[0];
    assert_eq!((of.name.as_str(), of.namespace.as_str()), ("orders", "shop"));
    let metadata: std::collections::BTreeMap<_, _> = of.scaler_metadata.clone().into_iter().collect();
    let address = format!("localhost:{}", server.address.port());
    assert_eq!(metadata, map(&[("queue", "orders"), ("scalerAddress", &address), ("tokenFromEnv", "secret")]));
    assert!(seen.iter().any(|(call, _)| call == "GetMetrics a.b"), "the index is not the server's: {seen:?}");
}

#[tokio::test]
async fn a_server_that_is_killed_is_an_error_and_one_that_is_back_is_read() {
    let (active, _) = watch::channel(true);
    let says = Says::new(&active);
    let server = Server::start(says.clone(), None).await;
    let scaler = server.trigger(&[], &[], Clock::real(), TYPE).await.unwrap();
    scaler.read(Duration::ZERO).await.unwrap();
    let address = server.kill().await;
    let error = loop {
        // What was under way when it was killed may still have ended well.
        if let Err(error) = scaler.read(Duration::ZERO).await {
            break error.to_string();
        }
    };
    assert!(error.starts_with(&format!("cannot read the external scaler at localhost:{}", address.port())), "{error}");
    let _server = Server::start_at(address, says, None).await;
    let deadline = Clock::real();
    let back = async { while scaler.read(Duration::ZERO).await.is_err() {} };
    deadline.timeout(Duration::from_mins(1), back).await.unwrap();
}

#[tokio::test]
async fn a_certificate_counts_as_the_trigger_says() {
    let (active, _) = watch::channel(true);
    let ((tls, pem), (_, other)) = (certificate(), certificate());
    let server = Server::start(Says::new(&active), Some(tls)).await;
    let read = async |more: &[(&str, &str)], authentication: &[(&str, &str)]| {
        let scaler = server.trigger(more, authentication, Clock::real(), TYPE).await?;
        scaler.read(Duration::ZERO).await
    };
    read(&[], &[("caCert", &pem)]).await.unwrap();
    read(&[("enableTLS", "true"), ("unsafeSsl", "true")], &[]).await.unwrap();
    for (more, authentication) in
        [(&[][..], &[("caCert", other.as_str())][..]), (&[("enableTLS", "true")], &[]), (&[], &[])]
    {
        let error = read(more, authentication).await.unwrap_err().to_string();
        assert!(error.contains("GetMetricSpec: "), "{error}");
    }
    let error = read(&[], &[("caCert", "no certificate")]).await.unwrap_err().to_string();
    assert!(error.contains("error parsing external metadata: the parameter caCert holds no certificate"), "{error}");
    let error = read(&[], &[("tlsClientCert", &pem)]).await.unwrap_err().to_string();
    assert!(error.contains("tlsClientKey"), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_waited_for_only_so_long() {
    let (active, _) = watch::channel(true);
    let says = Says { is_silent: true, ..Says::new(&active) };
    let server = Server::start(says, None).await;
    let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let scaler = server.trigger(&[], &[], clock, TYPE).await.unwrap();
    let error = passing(&handle, scaler.read(Duration::ZERO)).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_without_metric_or_value_is_an_error_and_no_zero() {
    let (active, _) = watch::channel(true);
    let says = Says::new(&active);
    for (says, wanted) in [
        (Says { specs: Vec::new(), ..says.clone() }, "GetMetricSpec gives no metric"),
        (Says { values: Vec::new(), ..says.clone() }, "GetMetrics gives no value of \"s3-a.b\""),
        (
            Says { specs: vec![MetricSpec { metric_name: "a".into(), ..Default::default() }], ..says },
            "it must be above 0",
        ),
    ] {
        let server = Server::start(says, None).await;
        let scaler = server.trigger(&[], &[], Clock::real(), TYPE).await.unwrap();
        let error = scaler.read(Duration::ZERO).await.unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[tokio::test]
async fn a_push_is_heard_at_once_and_again_from_a_server_that_was_killed() {
    let (active, _) = watch::channel(false);
    let says = Says::new(&active);
    let server = Server::start(says.clone(), None).await;
    let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let scaler = server.trigger(&[], &[], clock, PUSH).await.unwrap();
    let mut said = scaler.changes().unwrap();
    assert_eq!(said.next().await, Some(false));
    active.send_replace(true);
    assert_eq!(said.next().await, Some(true));
    let address = server.kill().await;
    let server = Server::start_at(address, says, None).await;
    assert_eq!(passing(&handle, said.next()).await, Some(true));
    let plain = server.trigger(&[], &[], Clock::real(), TYPE).await.unwrap();
    assert!(plain.changes().is_none(), "only external-push listens");
}

#[tokio::test]
async fn triggers_of_one_address_share_its_connection() {
    let (active, _) = watch::channel(true);
    let server = Server::start(Says::new(&active), None).await;
    let context = context_with(Clock::real()).await;
    let address = format!("localhost:{}", server.address.port());
    let scaler = |queue: &str| {
        let metadata = map(&[("scalerAddress", &address), ("queue", queue)]);
        let trigger = ScaleTriggers { type_: TYPE.to_owned(), metadata, ..Default::default() };
        External::new(&trigger, 0, &context, false).unwrap()
    };
    for scaler in [scaler("orders"), scaler("refunds")] {
        scaler.read(Duration::ZERO).await.unwrap();
    }
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_given_up_before_the_reading_is() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("localhost:{}", listener.local_addr().unwrap().port());
    let metadata = map(&[("scalerAddress", &address), ("enableTLS", "true")]);
    let trigger = ScaleTriggers { type_: TYPE.to_owned(), metadata, ..Default::default() };
    let scaler = External::new(&trigger, 0, &context_with(Clock::real()).await, false).unwrap();
    let error = scaler.read(Duration::ZERO).await.unwrap_err();
    assert!(matches!(&error, Error::Answer { problem, .. } if problem.ends_with(REACH)), "{error}");
}

#[tokio::test]
async fn an_address_that_cannot_be_one_is_refused_and_not_shown() {
    let context = context_with(Clock::real()).await;
    for address in
        ["user:hunter2@scaler:9090", "http://scaler:9090", "scaler:9090/hunter2", "scaler:9090?hunter2", "a b"]
    {
        let metadata = map(&[("scalerAddress", address)]);
        let trigger = ScaleTriggers { type_: TYPE.to_owned(), metadata, ..Default::default() };
        let error = External::new(&trigger, 0, &context, false).err().unwrap().to_string();
        assert!(error.contains("scalerAddress is no address") && !error.contains("hunter2"), "{error}");
    }
}
