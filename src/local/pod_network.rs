//! The loopback network of one cluster's pods, 127.N.0.0/16: claimed, so that clusters side by side never share one.
//!
//! Two stacks on one machine are two processes that know nothing of each other; the machine itself has to say which
//! network is free. A listening socket does: only one process can have it, and it goes with the process however that ends.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

/// The first and the last second octet of pod networks.
const NUMBERS: std::ops::RangeInclusive<u8> = 16..=250;
/// The port at 127.N.0.1 whose holder has the network. Pods begin at 127.N.0.2; nothing is served here.
const CLAIM_PORT: u16 = 19_127;

/// A network, ours until dropped.
#[derive(Debug)]
pub(crate) struct PodNetwork {
    pub(crate) number: u8,
    _claim: Option<TcpListener>,
}

impl PodNetwork {
    /// The first network that nobody on this machine has.
    pub(crate) fn claim() -> Result<Self, String> {
        for number in NUMBERS {
            match TcpListener::bind((Ipv4Addr::new(127, number, 0, 1), CLAIM_PORT)) {
                Ok(claim) => return Ok(Self { number, _claim: Some(claim) }),
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                // Where loopback is one address only (not Linux) there is nothing to claim.
                Err(_) => return Ok(Self { number, _claim: None }),
            }
        }
        Err("every pod network of this machine is taken; end another local cloud with `sluice down`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clusters_never_share_a_network() {
        let (first, second) = (PodNetwork::claim().unwrap(), PodNetwork::claim().unwrap());
        assert_ne!(first.number, second.number);
    }
}
