//! Blocks of IPv4 addresses.

use std::net::Ipv4Addr;

/// A block: its first address, and how many bits of it count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    first: u32,
    length: u32,
}

impl Block {
    /// `10.0.0.0/16`; `None` if it is no block, or has bits beyond its length.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let (first, length) = (u32::from(address.parse::<Ipv4Addr>().ok()?), length.parse::<u32>().ok()?);
        let block = Self { first, length };
        (length <= 32 && first & !block.mask() == 0).then_some(block)
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - self.length).unwrap_or(0)
    }

    /// VPCs and subnets have between 16 and 65,536 addresses (VPC User Guide, "VPC CIDR blocks").
    pub(super) fn fits_a_network(self) -> bool {
        (16..=28).contains(&self.length)
    }

    pub(super) fn contains(self, other: Self) -> bool {
        self.length <= other.length && other.first & self.mask() == self.first
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// Addresses, less the five that AWS keeps of each subnet (VPC User Guide, "Subnet CIDR blocks").
    pub(super) fn usable(self) -> u64 {
        (1_u64 << (32 - self.length)).saturating_sub(5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_contain_and_overlap_as_their_bits_say() {
        let block = |text| Block::parse(text).unwrap();
        assert!(
            block("10.0.0.0/16").contains(block("10.0.64.0/18"))
                && !block("10.0.0.0/16").contains(block("10.1.0.0/18"))
        );
        assert!(
            block("10.0.1.0/24").overlaps(block("10.0.0.0/16")) && !block("10.0.1.0/24").overlaps(block("10.0.2.0/24"))
        );
        assert_eq!(block("10.0.1.0/24").usable(), 251);
        assert!(block("0.0.0.0/0").contains(block("10.0.0.0/16")) && !block("0.0.0.0/0").fits_a_network());
        for wrong in ["10.0.0.1/16", "10.0.0.0", "10.0.0.0/33", "x/16"] {
            assert_eq!(Block::parse(wrong), None, "{wrong}");
        }
    }
}
