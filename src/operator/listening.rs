//! Where a server of the operator listens, in the form that KEDA's flags have.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Where one server listens.
///
/// The text is that of controller-runtime's bind addresses (sigs.k8s.io/controller-runtime `pkg/manager`): `:8080` is the port
/// on all addresses of the pod, `10.0.0.7:8080` and `[::1]:8080` are one address, and `0` or nothing means that it is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listening {
    /// It is not served.
    Off,
    /// On this port of all addresses of the pod.
    Port(u16),
    /// On this address.
    Address(SocketAddr),
}

impl Listening {
    /// The address, in a pod whose servers listen on `pod`.
    pub(crate) fn within(self, pod: IpAddr) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::Port(port) => Some(SocketAddr::new(pod, port)),
            Self::Address(address) => Some(address),
        }
    }
}

impl FromStr for Listening {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is neither `:PORT`, nor `IP:PORT`, nor `0` for off");
        match text.strip_prefix(':') {
            _ if text.is_empty() || text == "0" => Ok(Self::Off),
            Some(port) => port.parse().map(Self::Port).map_err(|_| refused()),
            None => text.parse().map(Self::Address).map_err(|_| refused()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_bind_addresses_are_read() {
        let pod = "10.0.0.7".parse().unwrap();
        let read =
            |text: &str| text.parse::<Listening>().map(|found| found.within(pod).map(|address| address.to_string()));
        assert_eq!(read(":8080"), Ok(Some("10.0.0.7:8080".to_owned())));
        assert_eq!(read("127.0.0.1:8081"), Ok(Some("127.0.0.1:8081".to_owned())));
        assert_eq!(read("[::1]:8081"), Ok(Some("[::1]:8081".to_owned())));
        assert_eq!((read("0"), read("")), (Ok(None), Ok(None)));
        for wrong in ["8080", ":port", ":65536", "localhost:8080", "10.0.0.7"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
