//! The two facts that are read from certificates which rustls has verified already: the subject's common name and the expiry.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const EXPLICIT_VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// DER of the object identifier 2.5.4.3, commonName.
const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];

/// The subject's common name; `None` if there is none or the certificate cannot be read.
pub(crate) fn common_name(der: &[u8]) -> Option<String> {
    let (_, subject) = validity_and_subject(der)?;
    let mut names = subject;
    while let Some((SET, set, rest)) = element(names) {
        names = rest;
        let (SEQUENCE, pair, _) = element(set)? else { return None };
        if let Some(value) = pair.strip_prefix(&COMMON_NAME) {
            let (_, text, _) = element(value)?;
            return String::from_utf8(text.to_vec()).ok();
        }
    }
    None
}

/// The moment after which the certificate is not valid.
pub(crate) fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (validity, _) = validity_and_subject(der)?;
    let (_, _, rest) = element(validity)?;
    let (tag, text, _) = element(rest)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let full = match tag {
        // RFC 5280, 4.1.2.5.1: years 50 to 99 are of the last century.
        UTC_TIME => format!("{}{text}", if text.get(..2)? >= "50" { "19" } else { "20" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", &full).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The contents of `validity` and `subject` (RFC 5280, 4.1).
fn validity_and_subject(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (SEQUENCE, certificate, _) = element(der)? else { return None };
    let (SEQUENCE, mut rest, _) = element(certificate)? else { return None };
    if rest.first() == Some(&EXPLICIT_VERSION) {
        (_, _, rest) = element(rest)?;
    }
    // serialNumber, signature, issuer
    for _ in 0..3 {
        (_, _, rest) = element(rest)?;
    }
    let (SEQUENCE, validity, rest) = element(rest)? else { return None };
    let (SEQUENCE, subject, _) = element(rest)? else { return None };
    Some((validity, subject))
}

/// Tag, content and what follows of the first DER element.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.is_empty() || bytes.len() > 4 {
            return None;
        }
        (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_expiry_are_read() {
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
    fn rubbish_is_nothing() {
        for rubbish in [&b""[..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x02, 0x30, 0x00]] {
            assert_eq!(common_name(rubbish), None);
            assert_eq!(not_after(rubbish), None);
        }
    }
}
