//! How the block of a VPC that a stack makes is dealt out.

use std::net::Ipv4Addr;

/// Subnets in private zones, and one for the way out; the last quarter stays free.
const PARTS: u32 = 4;

/// The blocks of the two private subnets and of the public one: a quarter of the VPC's each.
///
/// `None` if the text is no block of private addresses (RFC 1918) between /16 and /24, which leaves each subnet the addresses that EKS
/// and its pods need (EKS User Guide, "Amazon EKS networking requirements for VPC and subnets").
pub fn blocks(cidr: &str) -> Option<[String; 3]> {
    let (address, length) = cidr.split_once('/')?;
    let (address, length) = (address.parse::<Ipv4Addr>().ok()?, length.parse::<u32>().ok()?);
    let size = 1_u32.checked_shl(32_u32.checked_sub(length)?)?;
    let first = u32::from(address);
    if !(16..=24).contains(&length) || !address.is_private() || !first.is_multiple_of(size) {
        return None;
    }
    let block = |number: u32| format!("{}/{}", Ipv4Addr::from(first + number * (size / PARTS)), length + 2);
    Some([0, 1, 2].map(block))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_dealt_out_in_quarters() {
        assert_eq!(blocks("10.0.0.0/16").unwrap(), ["10.0.0.0/18", "10.0.64.0/18", "10.0.128.0/18"]);
        assert_eq!(blocks("192.168.7.0/24").unwrap(), ["192.168.7.0/26", "192.168.7.64/26", "192.168.7.128/26"]);
        for wrong in ["10.0.0.0/15", "10.0.0.0/25", "10.0.1.0/16", "8.8.0.0/16", "10.0.0.0", "x/16", "10.0.0.0/99"] {
            assert_eq!(blocks(wrong), None, "{wrong}");
        }
    }
}
