//! Requests of services whose SDK crates would cost more than they bring: a few reads each, signed and sent over the session's own
//! HTTP client, with the SDK's retries, time-outs and errors.

pub(crate) mod json;

use std::fmt;

use aws_config::BehaviorVersion;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::TransientErrorClassifier;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::cloud::ATTEMPTS;
use crate::error::{Error, Result, is_throttling};
use crate::session::Session;

/// A service that is called like this.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// Its id in settings, such as `Service Quotas`.
    pub(crate) id: &'static str,
    /// Its name in signatures and hosts.
    pub(crate) name: &'static str,
    /// Code and message of a refusal's body.
    pub(crate) refusal: fn(&str) -> Option<(String, String)>,
}

impl Service {
    /// Its name in hosts: ECR keeps its own for the registries (ECR API Reference, "Service endpoints").
    fn host(self) -> &'static str {
        if self.name == "ecr" { "api.ecr" } else { self.name }
    }
}

/// One request: a POST to the service's root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// `service:Operation`.
    pub(crate) operation: &'static str,
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: &'a str,
}

/// The answer's body.
///
/// # Errors
///
/// [`Error::Service`] if the service refuses. Another [`Error`] if there are no credentials or no usable answer.
pub(crate) async fn send(session: &Session, service: Service, call: Call<'_>) -> Result<String> {
    let Call { operation, headers, body } = call;
    let endpoint = session.endpoint(service.id, service.host());
    let signed = signature(session, service, &endpoint, call).await?;
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let request = Parts { headers: headers.chain(signed).collect(), body: body.to_owned() };
    let config = &session.config;
    let wrong = |what: &str| Error::Request { operation, message: format!("no {what} is configured") };
    let built = Operation::builder()
        .service_name(service.name)
        .operation_name(operation)
        .behavior_version(BehaviorVersion::latest())
        .http_client(config.http_client().ok_or_else(|| wrong("HTTP client"))?)
        .endpoint_url(&endpoint)
        .no_auth()
        // Three calls in a row may be throttled, and a session's own three attempts are over then.
        .standard_retry(&RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .retry_classifier(Passing)
        .retry_classifier(TransientErrorClassifier::<Refused>::new())
        .timeout_config(config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
        .sleep_impl(config.sleep_impl().ok_or_else(|| wrong("sleep"))?)
        .time_source(config.time_source().ok_or_else(|| wrong("time source"))?)
        .with_connection_poisoning()
        .serializer(|parts: Parts| Ok(parts.into_request()?))
        .deserializer(move |response: &HttpResponse| read(response, service))
        .build();
    built.invoke(request).await.map_err(|error| Error::from_sdk(operation, &error))
}

/// What is sent; signed headers hold no secret, but a session token.
struct Parts {
    headers: Vec<(String, String)>,
    body: String,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("body", &self.body).finish_non_exhaustive()
    }
}

impl Parts {
    fn into_request(self) -> std::result::Result<HttpRequest, aws_smithy_runtime_api::http::HttpError> {
        let mut request = HttpRequest::new(SdkBody::from(self.body));
        request.set_method("POST")?;
        request.set_uri("/")?;
        for (name, value) in self.headers {
            request.headers_mut().try_insert(name, value)?;
        }
        Ok(request)
    }
}

async fn signature(
    session: &Session,
    service: Service,
    endpoint: &str,
    call: Call<'_>,
) -> Result<Vec<(String, String)>> {
    let Call { operation, headers, body } = call;
    let wrong = |error: &dyn fmt::Display| Error::Request { operation, message: error.to_string() };
    let identity: Identity = session.credentials(operation).await?.into();
    let time = session.config.time_source().ok_or_else(|| wrong(&"no time source is configured"))?;
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(session.region())
        .name(service.name)
        .time(time.now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| wrong(&error))?
        .into();
    let url = format!("{endpoint}/");
    let signable = SignableRequest::new("POST", &url, headers.iter().copied(), SignableBody::Bytes(body.as_bytes()))
        .map_err(|error| wrong(&error))?;
    let (instructions, _) = sign(signable, &parameters).map_err(|error| wrong(&error))?.into_parts();
    Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn read(response: &HttpResponse, service: Service) -> std::result::Result<String, OrchestratorError<Refused>> {
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default()).into_owned();
    let status = response.status().as_u16();
    if (200..300).contains(&status) {
        return Ok(text);
    }
    let mut metadata = ErrorMetadata::builder();
    if let Some((code, message)) = (service.refusal)(&text) {
        metadata = metadata.code(code).message(message);
    }
    Err(OrchestratorError::operation(Refused { status, metadata: metadata.build() }))
}

/// The service answered with an error.
#[derive(Debug, thiserror::Error)]
#[error("HTTP {status}")]
struct Refused {
    status: u16,
    metadata: ErrorMetadata,
}

impl ProvideErrorMetadata for Refused {
    fn meta(&self) -> &ErrorMetadata {
        &self.metadata
    }
}

/// Throttling and failures of the service are tried again, as the SDK does.
#[derive(Debug)]
struct Passing;

impl ClassifyRetry for Passing {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else { return RetryAction::NoActionIndicated };
        let Some(refused) = error.as_operation_error().and_then(|error| error.downcast_ref::<Refused>()) else {
            return RetryAction::NoActionIndicated;
        };
        if refused.metadata.code().is_some_and(is_throttling) || refused.status == 429 {
            RetryAction::throttling_error()
        } else if refused.status >= 500 {
            RetryAction::server_error()
        } else {
            RetryAction::RetryForbidden
        }
    }

    fn name(&self) -> &'static str {
        "throttling and failures of a service"
    }
}
