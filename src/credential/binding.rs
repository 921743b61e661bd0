//! The origin of a request: addresses, the ranges that a link allows, and the binding of a pass.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

/// An address range in CIDR notation (RFC 4632, RFC 4291 §2.3). Invariant: every bit after the
/// prefix is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Cidr {
    base: IpAddr,
    length: u8,
}

impl Cidr {
    /// Parses `192.0.2.0/24`, `2001:db8::/32`, or a single address. Refuses bits after the prefix,
    /// because `10.0.0.1/8` may mean one address or its network.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (base, length) = match text.split_once('/') {
            Some((base, length)) => (base, Some(length)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        // In an IPv4-mapped IPv6 address, the prefix length is ambiguous.
        if base.to_canonical() != base {
            return None;
        }
        let most = if base.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|length| *length <= most)?
            }
            Some(_) => return None,
            None => most,
        };
        (truncate(base, length) == base).then_some(Self { base, length })
    }

    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && truncate(address, self.length) == self.base
    }
}

/// The network and country that a pass is bound to, or that a request comes from. Networks are
/// compared by /24 or /64, because a phone's address changes between cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Binding {
    pub network: Option<Network>,
    pub country: Option<Country>,
}

impl Binding {
    /// Bytes that differ between bindings.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut bytes = self.network.map(Network::bytes).unwrap_or_default();
        bytes.push(0xFF);
        bytes.extend(self.country.map(Country::bytes).unwrap_or_default());
        bytes
    }
}

/// An address's /24 (IPv4) or /64 (IPv6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpAddr);

impl Network {
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self(truncate(address, if address.is_ipv4() { 24 } else { 64 }))
    }

    /// 4 or 16 bytes.
    pub(crate) fn bytes(self) -> Vec<u8> {
        match self.0 {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        }
    }
}

/// An ISO 3166-1 alpha-2 code, in upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Country([u8; 2]);

impl Country {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match *text.as_bytes() {
            // Cloudflare names Tor exits `T1`.
            [first, second] if first.is_ascii_alphabetic() && second.is_ascii_alphanumeric() => {
                Some(Self([
                    first.to_ascii_uppercase(),
                    second.to_ascii_uppercase(),
                ]))
            }
            _ => None,
        }
    }

    pub(crate) fn bytes(self) -> [u8; 2] {
        self.0
    }
}

impl From<Cidr> for String {
    fn from(Cidr { base, length }: Cidr) -> Self {
        format!("{base}/{length}")
    }
}

impl From<Country> for String {
    fn from(Country(code): Country) -> Self {
        code.map(char::from).iter().collect()
    }
}

/// `address` with all but its first `length` bits cleared.
fn truncate(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_range_contains_what_shares_its_prefix() {
        for (range, inside, expected) in [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("192.0.2.128/25", "192.0.2.127", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.7", false),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
        ] {
            let parsed = Cidr::parse(range).expect(range);
            assert_eq!(
                parsed.contains(address(inside)),
                expected,
                "{range} {inside}"
            );
        }
    }

    #[test]
    fn a_text_that_is_not_a_range_is_refused() {
        for text in [
            "",
            "10",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.1/8",
            "::/129",
            "2001:db8::1/32",
            "10.0.0.0/8/8",
            "::ffff:10.0.0.0/104",
            "::ffff:10.0.0.1",
            "school",
            "010.0.0.0/8",
        ] {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_network_is_a_24_or_a_64() {
        for (one, other, expected) in [
            ("192.0.2.1", "192.0.2.200", true),
            ("192.0.2.1", "192.0.3.1", false),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
            ("192.0.2.1", "::ffff:192.0.2.2", true),
        ] {
            let same = Network::of(address(one)) == Network::of(address(other));
            assert_eq!(same, expected, "{one} {other}");
        }
        assert_eq!(Country::parse("de"), Country::parse("DE"));
        for text in ["", "D", "DEU", "4A", "é"] {
            assert_eq!(Country::parse(text), None, "{text}");
        }
    }
}
