//! A CA and a serving certificate, as they lie in the Secret.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::x509;

const AUTHORITY_KEY: &str = "ca.key";
const AUTHORITY: &str = "ca.crt";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Days that a CA is valid.
const AUTHORITY_DAYS: i32 = 3650;
/// Days that a serving certificate is valid.
const SERVING_DAYS: i32 = 365;
/// A serving certificate is renewed when fewer days are left.
const RENEWAL_DAYS: i32 = 90;

/// Certificates and keys in PEM. The same names as KEDA's secret.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "PEM and DER of the same things meet in this file")]
pub(super) struct Bundle {
    /// The CA, followed by the one before it while that is still valid.
    pub(super) authority_pem: String,
    authority_key_pem: String,
    certificate_pem: String,
    key_pem: String,
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("certificate", &self.certificate_pem).finish_non_exhaustive()
    }
}

impl Bundle {
    /// What the Secret holds; `None` if a part is missing.
    pub(super) fn from_data(data: &BTreeMap<String, ByteString>) -> Option<Self> {
        let text = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok();
        Some(Self {
            authority_pem: text(AUTHORITY)?,
            authority_key_pem: text(AUTHORITY_KEY)?,
            certificate_pem: text(CERTIFICATE)?,
            key_pem: text(KEY)?,
        })
    }

    /// What the Secret is to hold.
    pub(super) fn to_data(&self) -> [(&'static str, String); 4] {
        [
            (AUTHORITY, self.authority_pem.clone()),
            (AUTHORITY_KEY, self.authority_key_pem.clone()),
            (CERTIFICATE, self.certificate_pem.clone()),
            (KEY, self.key_pem.clone()),
        ]
    }

    /// A new serving certificate for `names`. The CA of `old` goes on if it outlives the certificate.
    pub(super) fn make(names: &[String], now: Timestamp, old: Option<&Self>) -> Result<Self, rcgen::Error> {
        let outlives = |bundle: &&Self| {
            first(&bundle.authority_pem)
                .and_then(|der| x509::not_after(&der))
                .is_some_and(|end| end > later(now, SERVING_DAYS))
        };
        let (authority_pem, authority_key) = match old.filter(outlives) {
            Some(old) => (old.authority_pem.clone(), KeyPair::from_pem(&old.authority_key_pem)?),
            None => authority(now, old)?,
        };
        let authority_key_pem = authority_key.serialize_pem();
        let issuer = Issuer::new(authority_params(now), authority_key);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name = name(names.get(2).map_or("keda", String::as_str));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        validity(&mut params, now, SERVING_DAYS);
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Self { authority_pem, authority_key_pem, certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// Whether it can be served: the key fits, all `names` are covered, and it lasts long enough.
    pub(super) fn is_good(&self, names: &[String], now: Timestamp) -> bool {
        let Some(der) = first(&self.certificate_pem) else { return false };
        if x509::not_after(&der).is_none_or(|end| end <= later(now, RENEWAL_DAYS)) {
            return false;
        }
        self.certified_key().is_ok_and(|key| key.keys_match().is_ok()) && self.is_signed_for(&der, names, now)
    }

    fn is_signed_for(&self, der: &CertificateDer<'static>, names: &[String], now: Timestamp) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(self.authority_pem.as_bytes()).flatten() {
            if roots.add(authority).is_err() {
                return false;
            }
        }
        let Ok(parsed) = rustls::server::ParsedCertificate::try_from(der) else { return false };
        let time = rustls_pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            now.as_second().max(0).unsigned_abs(),
        ));
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        let signed =
            rustls::client::verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], time, algorithms.all);
        signed.is_ok()
            && names.iter().all(|name| {
                rustls_pki_types::ServerName::try_from(name.as_str())
                    .is_ok_and(|name| rustls::client::verify_server_name(&parsed, &name).is_ok())
            })
    }

    /// Certificate and key as rustls wants them.
    pub(super) fn certified_key(&self) -> Result<Arc<CertifiedKey>, KeyError> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(self.certificate_pem.as_bytes()).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes())?;
        Ok(Arc::new(CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())?))
    }
}

/// Why a serving certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error(transparent)]
    Pem(#[from] rustls_pki_types::pem::Error),
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// A new CA; that of `old` stays trusted, since other replicas may still serve certificates of it.
fn authority(now: Timestamp, old: Option<&Bundle>) -> Result<(String, KeyPair), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut pem = authority_params(now).self_signed(&key)?.pem();
    let valid = |der: &CertificateDer<'_>| x509::not_after(der).is_some_and(|end| end > now);
    if let Some(old) = old.and_then(|old| first(&old.authority_pem)).filter(valid) {
        pem.push_str(&encoded(&old));
    }
    Ok((pem, key))
}

fn encoded(der: &CertificateDer<'_>) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn authority_params(now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("KEDA");
    params.distinguished_name.push(DnType::OrganizationName, "KEDAORG");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    validity(&mut params, now, AUTHORITY_DAYS);
    params
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common.chars().take(64).collect::<String>());
    name
}

fn validity(params: &mut CertificateParams, now: Timestamp, days: i32) {
    // rcgen takes another crate's time type, which only this function of rcgen makes; whole days are fine.
    let date = |time: Timestamp| {
        let date = time.to_zoned(jiff::tz::TimeZone::UTC).date();
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = date(later(now, -1));
    params.not_after = date(later(now, days));
}

fn later(now: Timestamp, days: i32) -> Timestamp {
    now.checked_add(DAY * days).unwrap_or(Timestamp::MAX)
}

fn first(pem: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}
