//! Passes: the credential that the edge mints, one per URL in a playlist. A pass names exactly one
//! object and an expiry; in a URL's path it names one directory. A playlist's pass also carries the
//! directory of its entries and the restrictions of its link.
//!
//! ```text
//! pass     = base64url( tag(1) hint(1) expires(4) ticket(0 or 30) fields(0…10) mac(16) )
//!            30 characters for a segment, 43 at most; 40 more with a ticket
//! tag      = version(4 bits: 1, or 2 with a ticket) network-bound(1) country-bound(1) kind(2)
//! fields   = object:           -
//!            playlist:         depth(1)
//!            directory:        depth(1)
//!            others:           0 depth              a restricted Media Playlist
//!                              1 depth from(4) to(4)  the same with a preview
//!                              2 depth              a list of assets
//!                              3 depth              a storyboard
//! mac      = HMAC-SHA-256( K, last segment of the object key )[..16]
//! K        = HMAC-SHA-256( pass key, tag expires ticket fields [ length(1) network ] [ length(1) country ] length(2) directory )
//! pass key = HKDF-SHA-256( secret, info "lectern/pass/1" )
//! ```
//!
//! The MAC covers every field. `tag` determines the fields, variable lengths are prefixed, and the
//! last segment is the message. `K` is the same for all segments of a directory, so a playlist of
//! 9,000 segments derives it once. `hint` only selects the key to try; a wrong hint selects no key
//! or the wrong one. A pass does not carry network and country: the request must come from the same
//! ones again.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac as _;
use hmac_lanes::{LANES, MAC_CHARACTERS, MAX_MESSAGE_BYTES, MacKey, Message, append_room};

use super::binding::Binding;
use super::keyring::{HmacSha256, Key, Keyring, keyed};
use super::ticket::{TICKET_BYTES, Ticket};
use crate::object::key::{Directory, ObjectKey};

/// The largest step of expiries, in seconds.
pub const MAX_EXPIRY_STEP: u64 = 900;

const MAC_BYTES: usize = 16;
const VERSION_MASK: u8 = 0xF0;
const WITHOUT_TICKET: u8 = 1 << 4;
const WITH_TICKET: u8 = 2 << 4;
const NETWORK_BOUND: u8 = 1 << 3;
const COUNTRY_BOUND: u8 = 1 << 2;
const KIND: u8 = 0b11;
/// tag, hint, expires.
const HEAD_BYTES: usize = 6;
const MAX_FIELD_BYTES: usize = 10;
/// tag, hint, expires, ticket.
const MAX_HEAD_BYTES: usize = HEAD_BYTES + TICKET_BYTES;
const MAX_BYTES: usize = MAX_HEAD_BYTES + MAX_FIELD_BYTES + MAC_BYTES;
/// The characters that a ticket adds to a pass.
pub const TICKET_CHARACTERS: usize = TICKET_BYTES / 3 * 4;

/// The object or directory that a pass opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassKind {
    /// An object, served as stored.
    Object,
    /// A playlist, which is rewritten. Its entries must lie below its first `depth` directories.
    Playlist { depth: u8 },
    /// A directory: everything below the first `depth` directories, served as stored. It stands in
    /// a URL's path.
    Directory { depth: u8 },
    /// A Media Playlist of a restricted link. It grants no playlists. With a preview, it grants
    /// only the Media Segments between these seconds.
    Restricted {
        depth: u8,
        preview: Option<(u32, u32)>,
    },
    /// The JSON body of an `X-ASSET-LIST` (RFC 8216bis appendix D). Its URIs are signed.
    AssetList { depth: u8 },
    /// A storyboard. Its images are signed.
    Storyboard { depth: u8 },
}

/// The fields between the head and the MAC.
struct Fields {
    bytes: [u8; MAX_FIELD_BYTES],
    length: usize,
}

impl Fields {
    fn of(parts: &[&[u8]]) -> Self {
        let mut fields = Self {
            bytes: [0; MAX_FIELD_BYTES],
            length: 0,
        };
        for part in parts {
            fields.bytes[fields.length..fields.length + part.len()].copy_from_slice(part);
            fields.length += part.len();
        }
        fields
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl PassKind {
    fn tag(self) -> u8 {
        match self {
            Self::Object => 0,
            Self::Playlist { .. } => 1,
            Self::Directory { .. } => 2,
            Self::Restricted { .. } | Self::AssetList { .. } | Self::Storyboard { .. } => 3,
        }
    }

    fn fields(self) -> Fields {
        match self {
            Self::Object => Fields::of(&[]),
            Self::Playlist { depth } | Self::Directory { depth } => Fields::of(&[&[depth]]),
            Self::Restricted {
                depth,
                preview: None,
            } => Fields::of(&[&[0, depth]]),
            Self::Restricted {
                depth,
                preview: Some((from, to)),
            } => Fields::of(&[&[1, depth], &from.to_be_bytes(), &to.to_be_bytes()]),
            Self::AssetList { depth } => Fields::of(&[&[2, depth]]),
            Self::Storyboard { depth } => Fields::of(&[&[3, depth]]),
        }
    }

    fn parse(tag: u8, fields: &[u8]) -> Option<Self> {
        Some(match (tag & KIND, fields) {
            (0, []) => Self::Object,
            (1, &[depth]) => Self::Playlist { depth },
            (2, &[depth]) => Self::Directory { depth },
            (3, &[0, depth]) => Self::Restricted {
                depth,
                preview: None,
            },
            (3, &[1, depth, a, b, c, d, e, f, g, h]) => Self::Restricted {
                depth,
                preview: Some((
                    u32::from_be_bytes([a, b, c, d]),
                    u32::from_be_bytes([e, f, g, h]),
                )),
            },
            (3, &[2, depth]) => Self::AssetList { depth },
            (3, &[3, depth]) => Self::Storyboard { depth },
            _ => return None,
        })
    }
}

/// A verified pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    pub kind: PassKind,
    /// The last second of validity.
    pub expires: u64,
    /// Flags: bound to the network, and to the country, of the request that opened the link.
    pub bound: (bool, bool),
    pub ticket: Option<Ticket>,
}

/// The reason why a pass opens nothing. The viewer sees `expired` or `forbidden`; the operator's
/// log has the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassError {
    #[error("the pass is malformed")]
    Malformed,
    #[error("no key has the pass's hint")]
    UnknownKey,
    #[error("the MAC is wrong: forged, or for another path")]
    BadMac,
    #[error("the pass expired at {0}")]
    Expired(u64),
}

/// The last second of a pass minted at `now` for `seconds`. It is rounded up to a step, so that a
/// returning viewer gets URLs that his browser has cached. The step is a tenth of `seconds`, at
/// least 1 s and at most [`MAX_EXPIRY_STEP`], so a pass never outlives its promise by more.
#[must_use]
pub fn expiry(now: u64, seconds: u64) -> u64 {
    let step = (seconds / 10).clamp(1, MAX_EXPIRY_STEP);
    now.saturating_add(seconds)
        .div_ceil(step)
        .saturating_mul(step)
        .min(u64::from(u32::MAX))
}

/// Mints passes with one expiry. It keeps the key that it derived for the last directory.
#[derive(Debug)]
pub struct Minter<'key> {
    key: &'key Key,
    expires: u32,
    binding: Binding,
    ticket: Option<Ticket>,
    derived: Option<Derived>,
    pending: PendingPasses,
}

/// The parts that all passes of one kind in one directory share.
struct Derived {
    kind: PassKind,
    directory: String,
    mac: HmacSha256,
    /// The same key, for four short messages at once.
    lanes: MacKey,
    /// Everything before the MAC.
    fields: [u8; MAX_HEAD_BYTES + MAX_FIELD_BYTES],
    fields_length: usize,
    /// The head in base64url. Its bytes are a multiple of three, so the next field starts at a
    /// character boundary.
    head: Vec<u8>,
}

/// Passes without their MACs: the messages, and where each MAC goes.
#[derive(Debug)]
struct PendingPasses {
    length: usize,
    messages: [Message; LANES],
    places: [usize; LANES],
}

impl std::fmt::Debug for Derived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Derived")
            .field("kind", &self.kind)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl<'key> Minter<'key> {
    /// Creates a minter of passes under `key` that expire at `expires` and are bound to `binding`.
    #[must_use]
    pub fn new(key: &'key Key, expires: u64, binding: Binding) -> Self {
        Self {
            key,
            expires: u32::try_from(expires).unwrap_or(u32::MAX),
            binding,
            ticket: None,
            derived: None,
            pending: PendingPasses {
                length: 0,
                messages: [Message::NONE; LANES],
                places: [0; LANES],
            },
        }
    }

    /// Puts `ticket` into the passes. An object's pass carries it only if each segment is checked:
    /// for a player with a place, and for a strict link.
    #[must_use]
    pub fn with_ticket(self, ticket: Option<Ticket>) -> Self {
        Self { ticket, ..self }
    }

    fn ticket_for(&self, kind: PassKind) -> Option<Ticket> {
        self.ticket
            .filter(|ticket| kind != PassKind::Object || ticket.is_checked_by_segment())
    }

    /// Appends the pass for the object `name` in `directory` (with its slash, or empty at the top).
    pub fn mint(&mut self, kind: PassKind, directory: &str, name: &str, out: &mut Vec<u8>) {
        self.select(kind, directory, out);
        if let Some(derived) = &self.derived {
            derived.mint(name, out);
        }
    }

    /// Selects the kind and directory of the next passes. Writes the MACs of deferred ones first.
    pub fn select(&mut self, kind: PassKind, directory: &str, out: &mut [u8]) {
        let is_turned = |derived: &Derived| derived.kind == kind && derived.directory == directory;
        if !self.derived.as_ref().is_some_and(is_turned) {
            self.flush(out);
            self.derived = Some(Derived::new(
                self.key,
                kind,
                self.expires,
                self.binding,
                self.ticket_for(kind),
                directory,
            ));
        }
    }

    /// Appends the pass for `name` in the selected directory. Its MAC may be missing until
    /// [`Minter::flush`] runs on the same `out`. Four MACs at once take little more than half the
    /// time of four in sequence. A pass without its MAC opens nothing.
    pub fn mint_deferred(&mut self, name: &str, out: &mut Vec<u8>) {
        let Some(derived) = &self.derived else {
            return;
        };
        if derived.kind != PassKind::Object || name.len() > MAX_MESSAGE_BYTES {
            return derived.mint(name, out);
        }
        let pending = &mut self.pending;
        pending.messages[pending.length].set(name.as_bytes());
        pending.places[pending.length] = out.len() + derived.head.len();
        pending.length += 1;
        append_room(&derived.head, out);
        if pending.length == LANES {
            self.flush(out);
        }
    }

    /// Writes the missing MACs into `out`.
    pub fn flush(&mut self, out: &mut [u8]) {
        let Some(derived) = self.derived.as_ref().filter(|_| self.pending.length > 0) else {
            return;
        };
        let macs = derived.lanes.macs(&self.pending.messages);
        let places = self.pending.places.into_iter();
        for (mac, at) in macs.iter().zip(places).take(self.pending.length) {
            if let Some(slot) = out.get_mut(at..at + MAC_CHARACTERS) {
                slot.copy_from_slice(mac);
            }
        }
        self.pending.length = 0;
    }
}

impl Derived {
    fn new(
        key: &Key,
        kind: PassKind,
        expires: u32,
        binding: Binding,
        ticket: Option<Ticket>,
        directory: &str,
    ) -> Self {
        let mut fields = [0; MAX_HEAD_BYTES + MAX_FIELD_BYTES];
        fields[0] = tag(kind, binding, ticket);
        fields[1] = key.hint();
        fields[2..HEAD_BYTES].copy_from_slice(&expires.to_be_bytes());
        let mut head_length = HEAD_BYTES;
        if let Some(ticket) = ticket {
            head_length += TICKET_BYTES;
            fields[HEAD_BYTES..head_length].copy_from_slice(&ticket.to_bytes());
        }
        let mut head = Vec::new();
        append_base64url(&fields[..head_length], &mut head);
        let of_kind = kind.fields();
        let fields_length = head_length + of_kind.length;
        fields[head_length..fields_length].copy_from_slice(of_kind.as_slice());
        let key = derive(key, kind, expires, binding, ticket, directory);
        Self {
            kind,
            directory: directory.to_owned(),
            mac: keyed(&key),
            lanes: MacKey::new(&key),
            fields,
            fields_length,
            head,
        }
    }

    fn mint(&self, name: &str, out: &mut Vec<u8>) {
        let mut bytes = [0; MAX_BYTES];
        let (fields, rest) = bytes.split_at_mut(self.fields_length);
        fields.copy_from_slice(&self.fields[..fields.len()]);
        let mac = self.mac.clone().chain_update(name).finalize();
        rest[..MAC_BYTES].copy_from_slice(&mac.into_bytes()[..MAC_BYTES]);
        append_base64url(&bytes[..self.fields_length + MAC_BYTES], out);
    }
}

fn append_base64url(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The slice has room for the padded form, which is longer than the unpadded text.
    let written = URL_SAFE_NO_PAD
        .encode_slice(bytes, &mut out[start..])
        .unwrap_or(0);
    out.truncate(start + written);
}

/// Verifies the pass `text` for `key`, in a request from `binding`.
///
/// # Errors
/// When it is malformed, forged, expired, or for another object or binding.
pub fn verify(
    text: &str,
    key: &ObjectKey,
    binding: Binding,
    keys: &Keyring,
    now: u64,
) -> Result<Pass, PassError> {
    let pass = verify_mac(text, key, binding, keys)?;
    if now > pass.expires {
        return Err(PassError::Expired(pass.expires));
    }
    Ok(pass)
}

/// Verifies the MAC of a pass for `key` and `binding`, at any time.
///
/// # Errors
/// When it is malformed, forged, or for another object or binding.
pub fn verify_mac(
    text: &str,
    key: &ObjectKey,
    binding: Binding,
    keys: &Keyring,
) -> Result<Pass, PassError> {
    let (pass, hint, mac) = decode_parts(text)?;
    let (network_bound, country_bound) = pass.bound;
    let binding = Binding {
        network: binding.network.filter(|_| network_bound),
        country: binding.country.filter(|_| country_bound),
    };
    if network_bound != binding.network.is_some() || country_bound != binding.country.is_some() {
        return Err(PassError::BadMac);
    }
    let root;
    let (directory, name) = match pass.kind {
        PassKind::Directory { depth } => {
            root = Directory::ancestor_of(key, depth.into()).ok_or(PassError::BadMac)?;
            (root.as_str(), "")
        }
        _ => key.split(),
    };
    let expires = u32::try_from(pass.expires).unwrap_or(u32::MAX);
    let mut outcome = PassError::UnknownKey;
    for candidate in keys.iter().filter(|candidate| candidate.hint() == hint) {
        let key = derive(
            candidate,
            pass.kind,
            expires,
            binding,
            pass.ticket,
            directory,
        );
        let expected = keyed(&key).chain_update(name);
        if expected.verify_truncated_left(&mac).is_ok() {
            return Ok(pass);
        }
        outcome = PassError::BadMac;
    }
    Err(outcome)
}

/// Decodes a pass without verifying it. The operator's tools have no secrets.
///
/// # Errors
/// When it is malformed.
pub fn decode(text: &str) -> Result<Pass, PassError> {
    decode_parts(text).map(|(pass, _, _)| pass)
}

fn decode_parts(text: &str) -> Result<(Pass, u8, [u8; MAC_BYTES]), PassError> {
    let mut bytes = [0_u8; MAX_BYTES];
    let length = URL_SAFE_NO_PAD
        .decode_slice(text, &mut bytes)
        .map_err(|_| PassError::Malformed)?;
    let (rest, mac) = bytes[..length]
        .split_last_chunk::<MAC_BYTES>()
        .ok_or(PassError::Malformed)?;
    let ([tag, hint, a, b, c, d], fields) = rest
        .split_first_chunk::<HEAD_BYTES>()
        .ok_or(PassError::Malformed)?;
    let (ticket, fields) = match tag & VERSION_MASK {
        WITHOUT_TICKET => (None, fields),
        WITH_TICKET => {
            let (ticket, fields) = fields.split_first_chunk().ok_or(PassError::Malformed)?;
            let ticket = Ticket::from_bytes(ticket).ok_or(PassError::Malformed)?;
            (Some(ticket), fields)
        }
        _ => return Err(PassError::Malformed),
    };
    let kind = PassKind::parse(*tag, fields);
    let pass = Pass {
        kind: kind.ok_or(PassError::Malformed)?,
        expires: u32::from_be_bytes([*a, *b, *c, *d]).into(),
        bound: (tag & NETWORK_BOUND != 0, tag & COUNTRY_BOUND != 0),
        ticket,
    };
    Ok((pass, *hint, *mac))
}

fn tag(kind: PassKind, binding: Binding, ticket: Option<Ticket>) -> u8 {
    let version = match ticket {
        None => WITHOUT_TICKET,
        Some(_) => WITH_TICKET,
    };
    let network = if binding.network.is_some() {
        NETWORK_BOUND
    } else {
        0
    };
    let country = if binding.country.is_some() {
        COUNTRY_BOUND
    } else {
        0
    };
    version + network + country + kind.tag()
}

fn derive(
    key: &Key,
    kind: PassKind,
    expires: u32,
    binding: Binding,
    ticket: Option<Ticket>,
    directory: &str,
) -> [u8; 32] {
    let mut mac = key
        .pass_mac()
        .chain_update([tag(kind, binding, ticket)])
        .chain_update(expires.to_be_bytes());
    if let Some(ticket) = ticket {
        mac.update(&ticket.to_bytes());
    }
    mac.update(kind.fields().as_slice());
    if let Some(network) = binding.network {
        let bytes = network.bytes();
        mac.update(&[if bytes.len() == 4 { 4 } else { 16 }]);
        mac.update(&bytes);
    }
    if let Some(country) = binding.country {
        mac.update(&[2]);
        mac.update(&country.bytes());
    }
    // An object key has at most 1,024 bytes.
    let length = u16::try_from(directory.len()).unwrap_or(u16::MAX);
    let derived = mac
        .chain_update(length.to_be_bytes())
        .chain_update(directory)
        .finalize();
    derived.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::keyring::testing::ring;
    use crate::credential::ticket::Place;

    const NOW: u64 = 1_800_000_000;

    /// Every kind that opens one object.
    const KINDS: [PassKind; 6] = [
        PassKind::Object,
        PassKind::Playlist { depth: 1 },
        PassKind::Restricted {
            depth: 1,
            preview: None,
        },
        PassKind::Restricted {
            depth: 1,
            preview: Some((0, 60)),
        },
        PassKind::AssetList { depth: 1 },
        PassKind::Storyboard { depth: 1 },
    ];

    fn object(key: &str) -> ObjectKey {
        ObjectKey::new(key).expect("an object key")
    }

    fn mint(key: &Key, kind: PassKind, expires: u64, object: &ObjectKey) -> String {
        let mut out = Vec::new();
        let (directory, name) = object.split();
        Minter::new(key, expires, Binding::default()).mint(kind, directory, name, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn a_pass_opens_its_object_and_no_other() {
        let ring = ring(&["k", "old"]);
        let segment = object("c/v/1/seg00000.m4s");
        for key in ring.iter() {
            for kind in KINDS {
                let pass = mint(key, kind, NOW, &segment);
                assert!(pass.len() <= 43, "{pass}");
                assert!(kind != PassKind::Object || pass.len() == 30, "{pass}");
                assert!(
                    pass.bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)),
                    "{pass}"
                );
                let expected = Pass {
                    kind,
                    expires: NOW,
                    bound: (false, false),
                    ticket: None,
                };
                assert_eq!(
                    verify(&pass, &segment, Binding::default(), &ring, NOW),
                    Ok(expected)
                );
                for other in [
                    "c/v/1/seg00001.m4s",
                    "c/v/1seg00000.m4s",
                    "c/v/1/seg00000.m4s/x",
                    "c/v/2/seg00000.m4s",
                    "d/v/1/seg00000.m4s",
                    "seg00000.m4s",
                ] {
                    assert_eq!(
                        verify(&pass, &object(other), Binding::default(), &ring, NOW),
                        Err(PassError::BadMac),
                        "{other}"
                    );
                }
            }
        }
    }

    fn tickets() -> [Option<Ticket>; 4] {
        let named = Ticket {
            viewer: Some([1; 12]),
            link: Some([2; 8]),
            place: None,
            is_strict: false,
        };
        let strict = Ticket {
            is_strict: true,
            ..named
        };
        let place = Place {
            session: [3; 8],
            places: 2,
            newest_wins: true,
        };
        let seated = Ticket {
            place: Some(place),
            ..named
        };
        [None, Some(named), Some(strict), Some(seated)]
    }

    #[test]
    fn a_pass_carries_its_ticket_and_opens_with_no_other() {
        let ring = ring(&["k"]);
        let segment = object("c/v/1/seg00000.m4s");
        let mut passes = Vec::new();
        for (ticket, kind) in tickets()
            .into_iter()
            .flat_map(|ticket| KINDS.map(|kind| (ticket, kind)))
        {
            let mut out = Vec::new();
            let minter = Minter::new(ring.minting(), NOW, Binding::default());
            let (directory, name) = segment.split();
            minter
                .with_ticket(ticket)
                .mint(kind, directory, name, &mut out);
            let pass = String::from_utf8(out).expect("ASCII");
            let found = verify(&pass, &segment, Binding::default(), &ring, NOW).expect(&pass);
            // An object's pass carries a ticket only if each segment is checked.
            let is_checked = ticket.is_some_and(|ticket| ticket.is_checked_by_segment());
            let carried = ticket.filter(|_| kind != PassKind::Object || is_checked);
            assert_eq!((found.kind, found.ticket), (kind, carried));
            passes.push((pass, carried.is_some()));
        }
        // No bit of a ticket can be changed, and none can be taken out or put in.
        for (pass, has_ticket) in passes {
            let bytes = URL_SAFE_NO_PAD.decode(&pass).expect("base64url");
            for bit in 0..bytes.len() * 8 {
                let mut forged = bytes.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                let forged = URL_SAFE_NO_PAD.encode(forged);
                assert!(
                    verify(&forged, &segment, Binding::default(), &ring, NOW).is_err(),
                    "bit {bit}"
                );
            }
            let mut forged = bytes;
            if has_ticket {
                forged.drain(HEAD_BYTES..MAX_HEAD_BYTES);
                forged[0] ^= WITH_TICKET ^ WITHOUT_TICKET;
            } else {
                let ticket = tickets()[3].expect("a ticket").to_bytes();
                forged.splice(HEAD_BYTES..HEAD_BYTES, ticket);
                forged[0] ^= WITH_TICKET ^ WITHOUT_TICKET;
            }
            let forged = URL_SAFE_NO_PAD.encode(forged);
            assert!(verify(&forged, &segment, Binding::default(), &ring, NOW).is_err());
        }
    }

    #[test]
    fn a_reserved_pass_is_the_one_that_is_minted() {
        for ticket in tickets() {
            reserved_passes_are_minted_ones(ticket);
        }
    }

    fn reserved_passes_are_minted_ones(ticket: Option<Ticket>) {
        let ring = ring(&["k"]);
        let minter = || Minter::new(ring.minting(), NOW, Binding::default()).with_ticket(ticket);
        let (mut reserving, mut minting) = (minter(), minter());
        let (mut reserved, mut minted) = (Vec::new(), Vec::new());
        // Names that fit one block and longer ones, in full and partial groups.
        for (at, length) in (0..200).map(|at| (at, at * 7 % 70 + 1)) {
            let directory = ["", "c/", "c/v/"][at / 3 % 3];
            let kind = KINDS[at / 11 % KINDS.len()];
            let name = "n".repeat(length);
            reserving.select(kind, directory, &mut reserved);
            reserving.mint_deferred(&name, &mut reserved);
            minting.mint(kind, directory, &name, &mut minted);
            assert_eq!(reserved.len(), minted.len());
        }
        reserving.flush(&mut reserved);
        assert_eq!(reserved, minted);
    }

    #[test]
    fn a_pass_ends_with_its_last_second() {
        let ring = ring(&["k"]);
        let segment = object("a/b");
        let pass = mint(ring.minting(), PassKind::Object, NOW, &segment);
        assert!(verify(&pass, &segment, Binding::default(), &ring, NOW).is_ok());
        assert_eq!(
            verify(&pass, &segment, Binding::default(), &ring, NOW + 1),
            Err(PassError::Expired(NOW))
        );
    }

    #[test]
    fn any_flipped_bit_is_refused() {
        let ring = ring(&["k"]);
        let segment = object("a/b");
        for kind in KINDS {
            let pass = mint(ring.minting(), kind, NOW, &segment);
            let bytes = URL_SAFE_NO_PAD.decode(&pass).expect("base64url");
            for bit in 0..bytes.len() * 8 {
                let mut forged = bytes.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                let forged = URL_SAFE_NO_PAD.encode(forged);
                assert!(
                    verify(&forged, &segment, Binding::default(), &ring, NOW).is_err(),
                    "bit {bit}"
                );
            }
            for text in [&pass[1..], &pass[..pass.len() - 1], "", "=", "é"] {
                assert!(
                    verify(text, &segment, Binding::default(), &ring, NOW).is_err(),
                    "{text}"
                );
            }
            assert!(
                verify(
                    &format!("{pass}A"),
                    &segment,
                    Binding::default(),
                    &ring,
                    NOW
                )
                .is_err()
            );
            assert!(
                verify(
                    &format!("{pass}="),
                    &segment,
                    Binding::default(),
                    &ring,
                    NOW
                )
                .is_err()
            );
        }
    }

    #[test]
    fn a_key_that_left_the_ring_opens_nothing() {
        let segment = object("a/b");
        let pass = mint(ring(&["old"]).minting(), PassKind::Object, NOW, &segment);
        assert!(verify(&pass, &segment, Binding::default(), &ring(&["new"]), NOW).is_err());
        assert!(
            verify(
                &pass,
                &segment,
                Binding::default(),
                &ring(&["new", "old"]),
                NOW
            )
            .is_ok()
        );
    }

    #[test]
    fn equal_inputs_give_equal_passes_within_a_step() {
        let opened = [NOW, NOW + 1, NOW + MAX_EXPIRY_STEP];
        let [first, second, third] = opened.map(|now| expiry(now, 6 * 3600));
        assert_eq!(first, NOW + 6 * 3600);
        assert_eq!(second, third);
        assert_eq!(second, first + MAX_EXPIRY_STEP);
        assert_eq!(expiry(u64::MAX, u64::MAX), u64::from(u32::MAX));
    }

    #[test]
    fn a_pass_outlives_its_promise_by_a_tenth_at_most() {
        for seconds in [1, 9, 10, 20, 25, 59, 60, 600, 8_999, 9_000, 21_600, 86_400] {
            for now in NOW..NOW + 1_000 {
                let left = expiry(now, seconds) - now;
                let most = seconds + (seconds / 10).clamp(1, MAX_EXPIRY_STEP) - 1;
                assert!((seconds..=most).contains(&left), "{seconds} s: {left} s");
            }
        }
    }

    #[test]
    fn a_directorys_pass_opens_what_lies_below_it() {
        let ring = ring(&["k"]);
        let mut minted = Vec::new();
        let kind = PassKind::Directory { depth: 2 };
        Minter::new(ring.minting(), NOW, Binding::default()).mint(kind, "c/v/", "", &mut minted);
        let pass = String::from_utf8(minted).expect("ASCII");
        for (key, opens) in [
            ("c/v/a", true),
            ("c/v/1/a", true),
            ("c/w/a", false),
            ("c/v", false),
            ("c/a", false),
            ("d/c/v/a", false),
        ] {
            let verified = verify(&pass, &object(key), Binding::default(), &ring, NOW);
            assert_eq!(verified.is_ok(), opens, "{key}");
        }
    }

    #[test]
    fn a_bound_pass_opens_only_where_its_link_was_opened() {
        let ring = ring(&["k"]);
        let segment = object("a/b");
        let binding = |address: &str, country: &str| Binding {
            network: address
                .parse()
                .ok()
                .map(crate::credential::binding::Network::of),
            country: crate::credential::binding::Country::parse(country),
        };
        let home = binding("192.0.2.1", "DE");
        for (bound, seen, opens) in [
            (home, home, true),
            (home, binding("192.0.2.99", "DE"), true),
            (home, binding("192.0.3.1", "DE"), false),
            (home, binding("192.0.2.1", "FR"), false),
            (home, binding("", "DE"), false),
            (home, Binding::default(), false),
            (binding("", "DE"), home, true),
            (binding("", "DE"), binding("", "FR"), false),
            (
                binding("2001:db8::1", ""),
                binding("2001:db8::2", "FR"),
                true,
            ),
            (
                binding("2001:db8::1", ""),
                binding("2001:db8:1::1", ""),
                false,
            ),
            (Binding::default(), home, true),
        ] {
            let mut minted = Vec::new();
            Minter::new(ring.minting(), NOW, bound).mint(PassKind::Object, "a/", "b", &mut minted);
            let pass = String::from_utf8(minted).expect("ASCII");
            assert_eq!(pass.len(), 30);
            let verified = verify(&pass, &segment, seen, &ring, NOW);
            assert_eq!(verified.is_ok(), opens, "{bound:?} {seen:?}");
        }
    }

    #[test]
    fn a_pass_decodes_without_keys_to_its_fields() {
        let ring = ring(&["k"]);
        for kind in KINDS {
            let pass = decode(&mint(ring.minting(), kind, NOW, &object("a/b"))).expect("a pass");
            assert_eq!((pass.kind, pass.expires), (kind, NOW));
        }
        assert_eq!(decode("AAAA"), Err(PassError::Malformed));
    }

    /// Passes minted by earlier versions open until the version in the tag changes. A second
    /// implementation, in another language, computed these from this module's description.
    #[test]
    fn passes_stay_what_they_are() {
        let ring = ring(&["k"]);
        let binding = |address: &str, country: &str| Binding {
            network: address
                .parse()
                .ok()
                .map(crate::credential::binding::Network::of),
            country: crate::credential::binding::Country::parse(country),
        };
        for (binding, kind, expected) in [
            (
                Binding::default(),
                PassKind::Object,
                "EIJrSdIA9uNOqBbM_HkLwLJtfH998w",
            ),
            (
                binding("192.0.2.1", ""),
                PassKind::Object,
                "GIJrSdIAXmbjxghULegZdpPpxsZJNQ",
            ),
            (
                binding("2001:db8::1", ""),
                PassKind::Object,
                "GIJrSdIAigHi5a3eIP0b1et1uruaCQ",
            ),
            (
                binding("", "DE"),
                PassKind::Object,
                "FIJrSdIACKs_e6nki2q0_sBToTG74g",
            ),
            (
                binding("192.0.2.1", "DE"),
                KINDS[1],
                "HYJrSdIAAZHeH71SvBp6_sfuL5jN2wM",
            ),
            (
                binding("2001:db8::1", "DE"),
                KINDS[3],
                "H4JrSdIAAQEAAAAAAAAAPEyU2iukkw7uII6USPHnd4E",
            ),
            (
                Binding::default(),
                KINDS[2],
                "E4JrSdIAAAEdpxFsll9WVVyqqnZtW22u",
            ),
            (
                Binding::default(),
                KINDS[4],
                "E4JrSdIAAgEiphp7o6sQvC01mYbv7S1u",
            ),
            (
                Binding::default(),
                PassKind::Directory { depth: 1 },
                "EoJrSdIAAf_z-SNoKYkHZOuY1r80lo4",
            ),
            (
                Binding::default(),
                KINDS[5],
                "E4JrSdIAAwHNSKDO_6lfPhwZzFWJPzcC",
            ),
        ] {
            let mut minted = Vec::new();
            Minter::new(ring.minting(), NOW, binding).mint(kind, "a/", "b", &mut minted);
            assert_eq!(
                String::from_utf8_lossy(&minted),
                expected,
                "{binding:?} {kind:?}"
            );
        }
    }

    #[test]
    fn nothing_that_mints_prints_its_key() {
        let ring = ring(&["k"]);
        let mut minter = Minter::new(ring.minting(), NOW, Binding::default());
        minter.select(PassKind::Object, "a/", &mut []);
        let printed = format!("{:?}", minter.derived);
        assert_eq!(
            printed,
            r#"Some(Derived { kind: Object, directory: "a/", .. })"#
        );
    }
}
