//! The two facts that are read from certificates: the subject's common name and the expiry.
//!
//! Whether a certificate is to be believed is rustls' business, before or beside this.

use jiff::Timestamp;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The subject's first common name; `None` if there is none or the certificate cannot be read.
pub(crate) fn common_name(der: &[u8]) -> Option<String> {
    let certificate = certificate(der)?;
    let name = certificate.subject().iter_common_name().next()?;
    name.as_str().ok().map(str::to_owned)
}

/// The moment after which the certificate is not valid; `None` if it cannot be read.
pub(crate) fn not_after(der: &[u8]) -> Option<Timestamp> {
    Timestamp::from_second(certificate(der)?.validity().not_after.timestamp()).ok()
}

fn certificate(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_expiry_are_read() {
        // RFC 5280, 4.1.2.5: a UTCTime until 2049, a GeneralizedTime from then on.
        for (year, expected) in [(2031, "2031-05-04T00:00:00Z"), (2060, "2060-05-04T00:00:00Z")] {
            let mut params = rcgen::CertificateParams::new(vec!["x.svc".to_owned()]).unwrap();
            params.distinguished_name.push(rcgen::DnType::OrganizationName, "org");
            params.distinguished_name.push(rcgen::DnType::CommonName, "front-proxy-client");
            params.not_after = rcgen::date_time_ymd(year, 5, 4);
            let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            assert_eq!(common_name(certificate.der()).as_deref(), Some("front-proxy-client"));
            assert_eq!(not_after(certificate.der()).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_certificate_without_a_common_name_has_none() {
        let mut params = rcgen::CertificateParams::new(vec!["x.svc".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        assert_eq!(common_name(certificate.der()), None);
        assert!(not_after(certificate.der()).is_some());
    }

    #[test]
    fn rubbish_is_nothing() {
        for rubbish in [&b""[..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x02, 0x30, 0x00]] {
            assert_eq!(common_name(rubbish), None);
            assert_eq!(not_after(rubbish), None);
        }
    }
}
