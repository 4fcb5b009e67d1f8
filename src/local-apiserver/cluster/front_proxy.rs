//! The front proxy's identity: a CA of its own and a client certificate, and TLS towards remote servers.

use std::sync::Arc;

use base64::Engine;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;

use crate::any_server::AnyServer;

/// What the aggregator shows to remote servers.
pub(crate) struct FrontProxy {
    /// `requestheader-client-ca-file`.
    pub(crate) ca_pem: String,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
    provider: Arc<CryptoProvider>,
}

impl std::fmt::Debug for FrontProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FrontProxy")
    }
}

impl FrontProxy {
    pub(crate) fn generate() -> Result<Self, String> {
        Self::try_generate().map_err(|error| error.to_string())
    }

    fn try_generate() -> Result<Self, rcgen::Error> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.distinguished_name.push(DnType::CommonName, "front-proxy-ca");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let ca_pem = ca.self_signed(&ca_key)?.pem();
        let issuer = Issuer::new(ca, ca_key);
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(Vec::new())?;
        leaf.distinguished_name.push(DnType::CommonName, "front-proxy-client");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let certificate = leaf.signed_by(&key, &issuer)?.der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(Self { ca_pem, certificate, key: key.serialize_der(), provider })
    }

    /// TLS that trusts `ca_bundle` (base64 of PEM), or anything where the APIService says so.
    pub(crate) fn connector(&self, ca_bundle: Option<&str>, skip_verification: bool) -> Result<TlsConnector, String> {
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let chain = vec![self.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let config = if skip_verification {
            let verifier = Arc::new(AnyServer::new(self.provider.clone()));
            builder.dangerous().with_custom_certificate_verifier(verifier).with_client_auth_cert(chain, key)
        } else {
            let bundle = base64::engine::general_purpose::STANDARD
                .decode(ca_bundle.unwrap_or_default())
                .map_err(|error| format!("caBundle is no base64: {error}"))?;
            let mut roots = RootCertStore::empty();
            let mut certificates = Vec::new();
            for certificate in CertificateDer::pem_slice_iter(&bundle) {
                let certificate = certificate.map_err(|error| format!("caBundle is no PEM: {error}"))?;
                roots.add(certificate.clone()).map_err(|error| format!("caBundle: {error}"))?;
                certificates.push(certificate);
            }
            let verifier = Arc::new(BundleServer::new(roots, certificates, &self.provider)?);
            builder.dangerous().with_custom_certificate_verifier(verifier).with_client_auth_cert(chain, key)
        };
        Ok(TlsConnector::from(Arc::new(config.map_err(|error| error.to_string())?)))
    }
}

/// `caBundle`: the server's certificate must lead to one of the bundle, or be one of it. The latter is what a self-signed
/// certificate is, which Go takes as it is and the verifier here refuses when it says that it is a CA.
#[derive(Debug)]
struct BundleServer {
    bundle: Vec<CertificateDer<'static>>,
    chain: Arc<WebPkiServerVerifier>,
}

impl BundleServer {
    fn new(
        roots: RootCertStore,
        bundle: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| format!("caBundle: {error}"))?;
        Ok(Self { bundle, chain })
    }
}

impl ServerCertVerifier for BundleServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // rustls reports this after it has checked the certificate's validity period and before it checks the name.
            Err(error) if is_own_ca(&error) && self.bundle.iter().any(|own| **own == **end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// The refusal has no variant of its own.
fn is_own_ca(error: &rustls::Error) -> bool {
    format!("{error:?}").contains("CaUsedAsEndEntity")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn certificate(is_ca: IsCa) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["a.b.svc".to_owned()]).unwrap();
        params.is_ca = is_ca;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn a_certificate_of_the_bundle_serves_the_names_that_it_has() {
        let own = certificate(IsCa::Ca(BasicConstraints::Unconstrained));
        let mut roots = RootCertStore::empty();
        roots.add(own.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = BundleServer::new(roots, vec![own.clone()], &provider).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_hours(500_000));
        let taken = |certificate: &CertificateDer<'_>, name: &'static str, now| {
            server.verify_server_cert(certificate, &[], &ServerName::try_from(name).unwrap(), &[], now).is_ok()
        };
        assert!(taken(&own, "a.b.svc", now));
        assert!(!taken(&own, "other.svc", now));
        assert!(!taken(&own, "a.b.svc", UnixTime::since_unix_epoch(Duration::ZERO)));
        assert!(!taken(&certificate(IsCa::Ca(BasicConstraints::Unconstrained)), "a.b.svc", now));
        assert!(!taken(&certificate(IsCa::NoCa), "a.b.svc", now));
    }
}
