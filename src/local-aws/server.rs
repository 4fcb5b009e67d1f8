//! The front: each request's way from bytes to a service and back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use local_faults::Incident;
use local_server::Server;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::authentication::authenticate;
use crate::caller::{Call, Caller};
use crate::cloud::Cloud;
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::fault_profile::Subject;
use crate::protocol::{Answer, Protocol, foreign};
use crate::questions::Questions;
use crate::request::{Request, Service};
use crate::{cloudwatch_logs, coverage, ec2, ecr, eks, iam, identifier, quotas, sqs, sts, tagging, trail, wire};

/// Larger than any batch that SQS takes, base64 and form encoding included.
const BODY_BYTES_MAX: usize = 8 << 20;
/// A layer of an image in one go, as the program's own is sent: a debug build has hundreds of megabytes.
const LAYER_BYTES_MAX: usize = 1 << 30;

pub(crate) async fn run(listener: std::net::TcpListener, cloud: Arc<Cloud>, stop: CancellationToken) -> Result<()> {
    let server = Server::new(listener, None, cloud.clock.clone()).map_err(Error::Listener)?;
    let answer = move |request, peer| {
        let cloud = Arc::clone(&cloud);
        async move { handle(&cloud, request, peer).await }
    };
    server.run(stop, answer).await;
    Ok(())
}

async fn handle(cloud: &Arc<Cloud>, request: http::Request<Incoming>, peer: SocketAddr) -> Answer {
    let (parts, body) = request.into_parts();
    let request_id = identifier::uuid();
    let limit = if parts.uri.path().starts_with("/v2/") { LAYER_BYTES_MAX } else { BODY_BYTES_MAX };
    let Some(body) = local_server::read_body(body, limit).await else {
        let fault = Fault::new(413, "RequestEntityTooLarge", "The request is too large or was cut off.");
        return Protocol::Rest.render("", Err(fault), &request_id);
    };
    let request = Request::new(parts, body);
    if let Some(page) = request.path.strip_prefix("/_sluice/") {
        return own_page(cloud, page, &request);
    }
    // It has tokens in place of signatures.
    if ecr::registry::is_meant(&request) {
        let call = described(cloud, &request, Caller::Anonymous, &peer.ip().to_string(), &Arc::default());
        return ecr::registry::answer(cloud, &request, call);
    }
    // Looked at before the signature: who asks for a service that is not here learns nothing else.
    let Some(service) = request.service() else { return foreign::refuse(&request, &request_id) };
    let protocol = Protocol::of(&request, service);
    let action = action(&request, service);
    let caller = authenticate(cloud, &request);
    let source = peer.ip().to_string();
    let questions = Arc::new(Questions::kept(cloud.logs.wire.is_some()));
    let result = match caller.clone() {
        Ok(caller) => {
            let call = described(cloud, &request, caller, &source, &questions);
            serve(cloud, service, protocol, &request, (&call, &action)).await
        }
        Err(fault) => Err(fault),
    };
    trail::record(
        cloud,
        &trail::Answered {
            service,
            action: &action,
            request: &request,
            caller: caller.as_ref().ok(),
            source: &source,
            request_id: &request_id,
            fault: result.as_ref().err(),
        },
    );
    if let Err(fault) = &result {
        tracing::debug!(?service, action, code = %fault.code, message = fault.message, "call refused");
    }
    let answer = protocol.render(&action, result, &request_id);
    let exchange = wire::Exchange { service, request: &request, caller: caller.as_ref().ok(), questions: &questions };
    wire::record(cloud, exchange, answer).await
}

/// The call, with what policies may ask about it.
fn described(cloud: &Cloud, request: &Request, caller: Caller, source: &str, questions: &Arc<Questions>) -> Call {
    Call {
        caller,
        host: request.header("host").unwrap_or("127.0.0.1").to_owned(),
        user_agent: request.header("user-agent").unwrap_or_default().to_owned(),
        referer: request.header("referer").map(str::to_owned),
        source_address: source.to_owned(),
        now: cloud.clock.now(),
        questions: Arc::clone(questions),
    }
}

async fn serve(
    cloud: &Arc<Cloud>,
    service: Service,
    protocol: Protocol,
    request: &Request,
    (call, action): (&Call, &str),
) -> Result<Value, Fault> {
    let unsigned = matches!(call.caller, Caller::Anonymous);
    // Only these two take unsigned calls: a web identity is its own proof, and a queue's policy may name anyone.
    if unsigned && service != Service::Sqs && action != "AssumeRoleWithWebIdentity" {
        return Err(Fault::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token"));
    }
    let subject = Subject::of(service, action, protocol, request);
    if let Some(answer) = cloud.faults.instead(&subject) {
        return answer;
    }
    let answer = match service {
        Service::Sqs => sqs::call(cloud, call, action, request, protocol).await,
        Service::Sts => sts::call(cloud, call, action, request.form()).await,
        Service::Iam => iam::call(cloud, call, action, request.form()),
        Service::Eks => eks::call(cloud, call, request),
        Service::Tagging => tagging::call(cloud, call, action, request),
        Service::CloudwatchLogs => cloudwatch_logs::call(cloud, call, action, request),
        Service::Ecr => ecr::call(cloud, call, action, request),
        Service::Ec2 => ec2::call(cloud, call, action, request.form()),
        Service::Quotas => quotas::call(cloud, call, action, request),
    };
    cloud.faults.after(&subject, answer)
}

/// The operation's name: from the target header, else the `Action` parameter; EKS goes by path.
fn action(request: &Request, service: Service) -> String {
    if service == Service::Eks {
        return String::new();
    }
    if let Some(target) = request.header("x-amz-target") {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    request.form().get("Action").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The pages of the local cloud itself, below `/_sluice/`.
const PAGES: [&str; 5] = [
    "/_sluice/health",
    "/_sluice/operations",
    "/_sluice/denials",
    "/_sluice/incidents",
    "/_sluice/incidents/NAME (POST with seconds= and by= begins one)",
];

fn incidents() -> Value {
    let all = Incident::ALL.map(|one| json!({ "name": one.name(), "about": one.about() }));
    json!({ "incidents": all })
}

/// Begins an incident, or says how often the last one has struck.
fn incident_page(cloud: &Cloud, incident: Incident, request: &Request) -> (u16, Value) {
    let incidents = cloud.faults.incidents();
    let seconds = |name: &str| {
        let text = request.parameter(name).unwrap_or_else(|| "0".to_owned());
        text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    };
    if request.method == http::Method::POST {
        // A page in a browser names its origin; it is nobody who plays a scenario.
        if request.header("origin").is_some() {
            return (403, json!({ "message": "incidents are not begun from a browser" }));
        }
        let (Some(lasts), Some(by)) = (seconds("seconds"), seconds("by")) else {
            return (400, json!({ "message": "seconds and by must be numbers of seconds, 0 or more" }));
        };
        incidents.begin(incident, lasts, by);
    }
    (200, json!({ "name": incident.name(), "struck": incidents.struck(incident) }))
}

/// Pages of the local cloud itself, for its own person: loopback only, no credentials in them.
fn own_page(cloud: &Cloud, page: &str, request: &Request) -> Answer {
    let incident = page.strip_prefix("incidents/").and_then(Incident::named);
    let (status, value) = match page {
        "health" => (
            200,
            json!({ "status": "ok", "region": cloud.region, "account": cloud.account, "scale": cloud.clock.scale() }),
        ),
        "denials" => match request.parameter("since").map(|text| text.parse()) {
            None => (200, cloud.denials().since(None)),
            Some(Ok(since)) => (200, cloud.denials().since(Some(since))),
            Some(Err(_)) => (400, json!({ "message": "since must be an RFC 3339 time" })),
        },
        "operations" => (200, coverage::page()),
        "incidents" => (200, incidents()),
        _ => match incident {
            Some(incident) => incident_page(cloud, incident, request),
            None => (404, json!({ "message": format!("there are {}", PAGES.join(", ")) })),
        },
    };
    http::Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(value.to_string())))
        .unwrap_or_default()
}
