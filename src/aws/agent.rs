//! How the program names itself to AWS: every request has the User-Agent `sluice/VERSION (COMPONENT)`. What the SDK says of
//! itself stays in `x-amz-user-agent`.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

const HEADER: &str = "user-agent";

/// `client`, over which the part `component` of the program speaks. The header is no part of a signature.
pub(crate) fn named(client: SharedHttpClient, component: &str) -> SharedHttpClient {
    let agent = format!("sluice/{} ({component})", env!("CARGO_PKG_VERSION"));
    SharedHttpClient::new(Named { client, agent })
}

#[derive(Debug)]
struct Named {
    client: SharedHttpClient,
    agent: String,
}

#[derive(Debug)]
struct NamedConnector {
    connector: SharedHttpConnector,
    agent: String,
}

impl HttpClient for Named {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(NamedConnector { connector, agent: self.agent.clone() })
    }
}

impl HttpConnector for NamedConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        request.headers_mut().insert(HEADER, self.agent.clone());
        self.connector.call(request)
    }
}
