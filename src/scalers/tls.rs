//! Whom a client of TLS trusts and what it shows, by the parameters that all triggers share.

use std::sync::Arc;

use pem::Pem;
use pkcs8::EncryptedPrivateKeyInfo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Whom a client trusts and what it shows. It is shown nowhere.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    /// Certificates that are trusted beside those of the system, PEM.
    pub(crate) ca: Option<String>,
    /// The client's certificate and its key, PEM.
    pub(crate) identity: Option<(String, String)>,
    /// The server may show any certificate.
    pub(crate) accepts_any: bool,
}

/// The one provider of the house; a process installs it once.
pub(crate) fn install_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Tls {
    /// The certificates of `ca`, and the client's `cert` and `key`, whose password is `password`; with what is wrong with them.
    pub(crate) fn new(
        ca: Option<String>,
        identity: (Option<String>, Option<String>),
        password: Option<&str>,
    ) -> (Self, Option<String>) {
        let together = || "the authentication parameters cert and key must be given together".to_owned();
        let identity = match (identity, password) {
            ((Some(cert), Some(key)), Some(password)) => decrypted(&key, password).map(|key| Some((cert, key))),
            ((Some(cert), Some(key)), None) => Ok(Some((cert, key))),
            ((None, None), _) => Ok(None),
            _ => Err(together()),
        };
        let (identity, problem) = match identity {
            Ok(identity) => (identity, None),
            Err(problem) => (None, Some(problem)),
        };
        let this = Self { ca, identity, accepts_any: false };
        let problems: Vec<_> = problem.into_iter().chain(this.checked().err()).collect();
        (this, (!problems.is_empty()).then(|| problems.join("; ")))
    }

    /// All of it, for the key of a connection.
    pub(crate) fn parts(&self) -> [String; 4] {
        let (cert, key) = self.identity.clone().unwrap_or_default();
        [self.ca.clone().unwrap_or_default(), cert, key, self.accepts_any.to_string()]
    }

    /// What is trusted, PEM: the certificates of the system and `ca`. `None` if those of the system alone are.
    pub(crate) fn trusted(&self) -> Option<String> {
        let ca = self.ca.as_deref()?;
        let system = rustls_native_certs::load_native_certs().certs;
        let system = system.iter().map(|der| pem::encode(&Pem::new("CERTIFICATE", der.to_vec())));
        Some(system.chain([ca.to_owned()]).collect::<Vec<_>>().join("\n"))
    }

    /// Whether all certificates and keys can be read.
    fn checked(&self) -> Result<(), String> {
        if let Some(ca) = &self.ca {
            certificates(ca).ok_or("the authentication parameter ca holds no certificate in PEM")?;
        }
        let Some((cert, key)) = &self.identity else { return Ok(()) };
        let problem = "the authentication parameters cert and key hold no certificate with its key in PEM";
        let chain = certificates(cert).ok_or(problem)?;
        let key = rustls::pki_types::pem::PemObject::from_pem_slice(key.as_bytes()).map_err(|_| problem)?;
        let provider = rustls::crypto::ring::default_provider();
        rustls::sign::CertifiedKey::from_der(chain, key, &provider).map(|_| ()).map_err(|_| problem.to_owned())
    }
}

/// The certificates of a text in PEM, if there are any and all can be read.
pub(crate) fn certificates(text: &str) -> Option<Vec<CertificateDer<'static>>> {
    use rustls::pki_types::pem::PemObject as _;
    let all: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().ok()?;
    let mut store = RootCertStore::empty();
    let is_each_read = all.iter().all(|der| store.add(der.clone()).is_ok());
    (!all.is_empty() && is_each_read).then_some(all)
}

/// A key in PKCS #8 that is encrypted with a password, without it.
fn decrypted(key: &str, password: &str) -> Result<String, String> {
    let failed =
        || "the authentication parameter key cannot be decrypted with keyPassword; give it in PKCS #8".to_owned();
    let block = pem::parse(key).ok().filter(|block| block.tag() == "ENCRYPTED PRIVATE KEY").ok_or_else(failed)?;
    let info = EncryptedPrivateKeyInfo::try_from(block.contents()).map_err(|_| failed())?;
    let plain = info.decrypt(password).map_err(|_| failed())?;
    Ok(pem::encode(&Pem::new("PRIVATE KEY", plain.as_bytes())))
}

/// The certificates that the system trusts; some may be of kinds that cannot be read.
pub(crate) fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Accepts any certificate; the handshake's signature is verified all the same.
pub(crate) fn any_server() -> Arc<dyn ServerCertVerifier> {
    Arc::new(Lenient { chain: None, provider: Arc::new(rustls::crypto::ring::default_provider()) })
}

/// How much of a server's certificate is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verification {
    /// Nothing.
    None,
    /// Who signed it.
    Chain,
    /// Who signed it, and for whom.
    Full,
}

/// What clients that bring no settings of their own connect with. The system's certificates are trusted.
pub(crate) fn config(verification: Verification) -> Result<ClientConfig, String> {
    install_provider();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = system_roots();
    let builder = ClientConfig::builder();
    if verification == Verification::Full {
        return Ok(builder.with_root_certificates(roots).with_no_client_auth());
    }
    let chain = match verification {
        Verification::None => None,
        _ => Some(WebPkiServerVerifier::builder(Arc::new(roots)).build().map_err(|error| error.to_string())?),
    };
    let verifier = Arc::new(Lenient { chain, provider });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Looks at less than the whole certificate.
#[derive(Debug)]
struct Lenient {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(certificate, between, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
