//! Minting for course apps: the Rust edition of `sdk/`, with the same names, refusals and bytes. It
//! generates `sdk/vectors.json`, which tests every edition.
//!
//! Minting refuses a link that the edge would refuse for every client, so that the developer sees
//! the reason. Every error has a code that is the same in all editions.
//!
//! ```
//! use lectern::sdk::{Options, Sdk};
//! let keys = r#"[{"kid":"docs","secret":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]"#;
//! let sdk = Sdk::new(keys)?;
//! let options = Options { viewer: Some("s42".into()), expires_in: Some(3600), ..Options::default() };
//! let link = sdk.link("https://video.school.example/courses/rails/", &options, 1_800_000_000)?;
//! assert_eq!(sdk.verify(&link, None, 1_800_003_600)?.sub.as_deref(), Some("s42"));
//! assert_eq!(sdk.verify(&link, None, 1_800_003_601).map_err(|error| error.code()), Err("expired"));
//! # Ok::<(), lectern::sdk::Error>(())
//! ```

use crate::credential::binding::{Cidr, Country};
use crate::credential::claims::{Claims, Purpose, SessionsPolicy};
use crate::credential::keyring::{Key, Keyring, KeyringError};
use crate::credential::link::{self, LinkError, MAX_LINK_BYTES};
use crate::http::cors::OriginPattern;
use crate::object::content_type;
use crate::object::file_kind::FileKind;
use crate::object::key::{ObjectKeyError, Scope, percent_decode};
use crate::request::RESERVED;

/// The edge's default for `MAX_LINK_AGE`.
pub const MAX_LINK_AGE: u64 = 30 * 86_400;
pub const MAX_WATCH: u64 = 86_400;
/// The validity of a link without `expires_in` and `expires_at`, in seconds.
pub const EXPIRES_IN: u64 = 6 * 3600;
/// The query parameter of a link.
const PARAMETER: &str = "token";
/// A pass stores the depth of its folder in one byte.
const MAX_DEPTH: usize = 255;
/// The longest name of a download, in bytes. Encoded, it fits a query beside the longest link.
const MAX_NAME_BYTES: usize = 1024;
/// The edge's player page, up to the link.
const PAGE: &str = "/_lectern/play#";

/// Keys, and the limits of the edge that verifies the links.
#[derive(Debug)]
pub struct Sdk {
    keys: Keyring,
    pub max_link_age: u64,
    pub max_watch: u64,
}

/// Options of a link. Durations are seconds, instants are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    pub viewer: Option<String>,
    /// Defaults to [`EXPIRES_IN`] if `expires_at` is not set.
    pub expires_in: Option<u64>,
    pub expires_at: Option<u64>,
    pub not_before: Option<u64>,
    pub watch: Option<u64>,
    pub max_height: Option<u32>,
    pub preview: Option<(u32, u32)>,
    pub langs: Option<Vec<String>>,
    pub ip: Option<Vec<Cidr>>,
    pub country: Option<Vec<Country>>,
    pub origin: Option<Vec<OriginPattern>>,
    pub jti: Option<String>,
    /// The text that the player page shows over the video.
    pub watermark: Option<String>,
    /// Players that the viewer may use at once. Needs `viewer`.
    pub sessions: Option<u32>,
    pub sessions_policy: Option<SessionsPolicy>,
    /// Passes live for a minute, and players renew them.
    pub strict: bool,
    /// Seconds for which the player page may keep the lecture on the device.
    pub offline: Option<u64>,
    /// The bytes, and the objects, that upload links with this `jti` may store. Both need `jti`.
    pub max_bytes: Option<u64>,
    pub max_objects: Option<u64>,
    /// The kinds of files that an upload link takes.
    pub types: Option<Vec<FileKind>>,
    pub purpose: Purpose,
    /// Opens the folder of the URL's object. A URL that ends in a slash already is a folder.
    pub directory: bool,
}

/// The reason why a link is not minted, or opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("`LECTERN_KEYS` is wrong: {0}")]
    Keys(KeyringError),
    #[error(
        "not a URL of an edge: it begins with `https://` or `http://`, and has no space in host, query or fragment"
    )]
    BadUrl,
    #[error("{0}; the path is `/folder/object`, or `/folder/` for everything in it")]
    Path(ObjectKeyError),
    #[error("`/_lectern/`, unless for `admin`, and paths that begin with `/~` are the edge's own")]
    PathReserved,
    #[error("the path is over {MAX_DEPTH} folders deep")]
    PathTooDeep,
    #[error("an upload link opens a folder: end the URL in a slash, or set `directory`")]
    NotAFolder,
    #[error(
        "a link with `max_height`, `preview` or `langs` opens playlists: link to the `.m3u8`, or to its folder"
    )]
    NotAPlaylist,
    #[error("{rule}")]
    Claim {
        claim: &'static str,
        rule: &'static str,
    },
    #[error("`expires_in` and `expires_at` are both set")]
    TwoTimes,
    #[error("the edge refuses a link to this object with `{0}`: leave `{0}` out")]
    NotForObjects(&'static str),
    #[error("the name of a download is longer than {MAX_NAME_BYTES} bytes")]
    LongName,
    #[error("`watch` is {0} s, and the edge counts {1} at most (`MAX_WATCH`)")]
    WatchTooLong(u64, u64),
    #[error("the link would be longer than {MAX_LINK_BYTES} bytes, which the edge refuses unread")]
    LinkTooLong,
    #[error(transparent)]
    Link(LinkError),
    #[error("the link does not open this path")]
    WrongScope,
}

impl Error {
    /// The code, which is the same in every edition.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Keys(KeyringError::NotAList) => "bad_keys",
            Self::Keys(KeyringError::Empty) => "no_keys",
            Self::Keys(KeyringError::BadKid) => "bad_kid",
            Self::Keys(KeyringError::DuplicateKid(_)) => "duplicate_kid",
            Self::Keys(KeyringError::NotBase64url(_)) => "bad_secret",
            Self::Keys(KeyringError::BadSecretLength { bytes, .. }) => {
                match *bytes < crate::credential::keyring::MIN_SECRET_BYTES {
                    true => "key_too_short",
                    false => "key_too_long",
                }
            }
            Self::BadUrl => "bad_url",
            Self::Path(error) => match error {
                ObjectKeyError::NotAbsolute => "path_not_absolute",
                ObjectKeyError::EmptySegment => "path_empty_segment",
                ObjectKeyError::DotSegment => "path_dot_segment",
                ObjectKeyError::EncodedSeparator => "path_encoded_separator",
                ObjectKeyError::Backslash => "path_backslash",
                ObjectKeyError::Semicolon => "path_semicolon",
                ObjectKeyError::Control => "path_control",
                ObjectKeyError::BadEscape => "path_bad_escape",
                ObjectKeyError::EncodedTwice => "path_encoded_twice",
                ObjectKeyError::NotUtf8 => "path_not_utf8",
                ObjectKeyError::TooLong => "path_too_long",
            },
            Self::PathReserved => "path_reserved",
            Self::PathTooDeep => "path_too_deep",
            Self::NotAFolder => "path_not_a_folder",
            Self::NotAPlaylist => "path_not_a_playlist",
            Self::Claim { claim, .. } => match *claim {
                "nbf" => "bad_nbf",
                "iat" => "bad_iat",
                "sub" => "bad_sub",
                "jti" => "bad_jti",
                "watermark" => "bad_watermark",
                "watch" => "bad_watch",
                "max_height" => "bad_max_height",
                "preview" => "bad_preview",
                "langs" => "bad_langs",
                "ip" => "bad_ip",
                "country" => "bad_country",
                "origin" => "bad_origin",
                "sessions" => "bad_sessions",
                "sessions_policy" => "bad_sessions_policy",
                "offline" => "bad_offline",
                "max_bytes" => "bad_max_bytes",
                "max_objects" => "bad_max_objects",
                "types" => "bad_types",
                _ => "bad_exp",
            },
            Self::TwoTimes => "bad_exp",
            Self::LongName | Self::NotForObjects(_) => "bad_option",
            Self::WatchTooLong(..) => "watch_too_long",
            Self::LinkTooLong | Self::Link(LinkError::TooLong) => "link_too_long",
            Self::Link(LinkError::NotAJwt) => "malformed",
            Self::Link(LinkError::BadHeader) => "bad_header",
            Self::Link(LinkError::UnknownCritical(_)) => "unknown_critical",
            Self::Link(LinkError::UnknownKey) => "unknown_key",
            Self::Link(LinkError::BadSignature) => "bad_signature",
            Self::Link(LinkError::BadClaims(_)) => "bad_claims",
            Self::Link(LinkError::Expired(_)) => "expired",
            Self::Link(LinkError::NotYetValid(_)) => "not_yet_valid",
            Self::Link(LinkError::TooFarAhead(_)) => "exp_too_far",
            Self::WrongScope => "wrong_scope",
        }
    }
}

impl Sdk {
    /// Creates an edition for the edge whose `LECTERN_KEYS` is `keys`.
    ///
    /// # Errors
    /// When the value is not a list of keys.
    pub fn new(keys: &str) -> Result<Self, Error> {
        Ok(Self {
            keys: Keyring::from_json(keys).map_err(Error::Keys)?,
            max_link_age: MAX_LINK_AGE,
            max_watch: MAX_WATCH,
        })
    }

    /// The ids of the keys, the minting one first, as in `/_lectern/health`.
    #[must_use]
    pub fn key_ids(&self) -> Vec<&str> {
        self.keys.iter().map(Key::kid).collect()
    }

    /// Mints a link and returns the URL with `?token=…` in its query.
    ///
    /// # Errors
    /// When the edge would refuse the link.
    pub fn link(&self, url: &str, options: &Options, now: u64) -> Result<String, Error> {
        let url = Url::parse(url)?;
        let claims = claims(url.path, options, now)?;
        Ok(url.with_token(&self.mint(&claims, now)?))
    }

    /// Mints a link that writes below a folder. It permits no reads.
    ///
    /// # Errors
    /// When the edge would refuse the link, or the URL is not a folder.
    pub fn upload_link(&self, url: &str, options: &Options, now: u64) -> Result<String, Error> {
        let url = Url::parse(url)?;
        let options = Options {
            purpose: Purpose::Upload,
            ..options.clone()
        };
        let claims = claims(url.path, &options, now)?;
        if matches!(claims.path, Scope::Object(_)) {
            return Err(Error::NotAFolder);
        }
        Ok(url.with_token(&self.mint(&claims, now)?))
    }

    /// Returns the address of the edge's player page for an `<iframe>`. The link is in its
    /// fragment, which browsers send to no server. Of a folder, the page plays `master.m3u8`.
    ///
    /// # Errors
    /// When the edge would refuse the link.
    pub fn embed_url(&self, url: &str, options: &Options, now: u64) -> Result<String, Error> {
        let parts = Url::parse(url)?;
        let lecture = match parts.path.ends_with('/') {
            true => parts.beside("master.m3u8")?,
            false => url.to_owned(),
        };
        let options = Options {
            purpose: Purpose::Play,
            ..options.clone()
        };
        let link = self.link(&lecture, &options, now)?;
        Ok(format!("{}{PAGE}{link}", parts.origin))
    }

    /// Mints a link to the poster of a lecture, and to nothing else. `url` is that of the lecture's
    /// folder or of an object in it.
    ///
    /// # Errors
    /// When the edge would refuse the link, as it does with `max_height`, `preview` or `langs`.
    pub fn poster_url(&self, url: &str, options: &Options, now: u64) -> Result<String, Error> {
        let options = Options {
            purpose: Purpose::Play,
            directory: false,
            ..options.clone()
        };
        let parts = Url::parse(url)?;
        refuse_restrictions(&options)?;
        let poster = parts.beside("poster.jpg")?;
        self.link(&poster, &options, now)
    }

    /// Mints a link to the download of a lecture, and to nothing else. `url` is that of the
    /// lecture's folder or of an object in it. Browsers save the file under `name`, or else under
    /// the name of the folder.
    ///
    /// # Errors
    /// When the edge would refuse the link, as it does with `sessions`, `max_height`, `preview` or
    /// `langs`.
    pub fn download_url(
        &self,
        url: &str,
        name: Option<&str>,
        options: &Options,
        now: u64,
    ) -> Result<String, Error> {
        let options = Options {
            purpose: Purpose::Download,
            directory: false,
            ..options.clone()
        };
        let name = name.unwrap_or_default();
        let parts = Url::parse(url)?;
        refuse_restrictions(&options)?;
        if options.sessions.is_some() {
            return Err(Error::NotForObjects("sessions"));
        }
        if name.len() > MAX_NAME_BYTES {
            return Err(Error::LongName);
        }
        let query = parts.query_with("download", &encode(name));
        let parts = Url {
            query: query.strip_prefix('?'),
            ..parts
        };
        self.link(&parts.beside("lecture.mp4")?, &options, now)
    }

    /// Mints a token with these claims.
    ///
    /// # Errors
    /// When the edge would refuse it.
    pub fn mint(&self, claims: &Claims, now: u64) -> Result<String, Error> {
        check(claims)?;
        openable(claims)?;
        if claims.exp < now {
            return Err(Error::Link(LinkError::Expired(claims.exp)));
        }
        if claims.exp - now > self.max_link_age {
            return Err(Error::Link(LinkError::TooFarAhead(self.max_link_age)));
        }
        if let Some(watch) = claims.watch.filter(|watch| *watch > self.max_watch) {
            return Err(Error::WatchTooLong(watch, self.max_watch));
        }
        let token = link::mint(self.keys.minting(), claims);
        match token.len() > MAX_LINK_BYTES {
            true => Err(Error::LinkTooLong),
            false => Ok(token),
        }
    }

    /// Verifies a token, or a URL that carries one. The token must open `url`, or else that URL.
    ///
    /// # Errors
    /// The first check that fails, in the edge's order.
    pub fn verify(&self, token: &str, url: Option<&str>, now: u64) -> Result<Claims, Error> {
        let in_url = Url::parse(token).ok().and_then(|url| url.token());
        let opened = url.or(in_url.map(|_| token));
        let claims = link::verify(in_url.unwrap_or(token), &self.keys, now, self.max_link_age)
            .map_err(Error::Link)?;
        openable(&claims)?;
        if let Some(opened) = opened {
            let opened = scope(Url::parse(opened)?.path, false)?;
            let opens = match (&claims.path, &opened) {
                (path, Scope::Object(key)) => path.contains(key),
                (Scope::Directory(path), Scope::Directory(below)) => {
                    below.as_str().starts_with(path.as_str())
                }
                (Scope::Object(_), Scope::Directory(_)) => false,
            };
            if !opens {
                return Err(Error::WrongScope);
            }
        }
        Ok(claims)
    }
}

/// The claims of a link to a URL, for [`link::mint`]. Times are not checked against an edge's
/// limits.
///
/// # Errors
/// When no client and no configuration could open the link.
pub fn link_claims(url: &str, options: &Options, now: u64) -> Result<Claims, Error> {
    let claims = claims(Url::parse(url)?.path, options, now)?;
    check(&claims)?;
    openable(&claims)?;
    Ok(claims)
}

/// Replaces the token of a URL.
///
/// # Errors
/// When it is not a URL of an edge.
pub fn with_token(url: &str, token: &str) -> Result<String, Error> {
    Ok(Url::parse(url)?.with_token(token))
}

/// The claims of a link to a URL's path.
fn claims(path: &str, options: &Options, now: u64) -> Result<Claims, Error> {
    let exp = match (options.expires_in, options.expires_at) {
        (Some(_), Some(_)) => return Err(Error::TwoTimes),
        (None, Some(at)) => at,
        (lasts, None) => now.saturating_add(lasts.unwrap_or(EXPIRES_IN)),
    };
    Ok(Claims {
        nbf: options.not_before,
        purpose: options.purpose,
        sub: options.viewer.clone(),
        jti: options.jti.clone(),
        watermark: options.watermark.clone(),
        watch: options.watch,
        max_height: options.max_height,
        preview: options.preview,
        langs: options.langs.clone(),
        ip: options.ip.clone(),
        country: options.country.clone(),
        origin: options.origin.clone(),
        sessions: options.sessions,
        sessions_policy: options.sessions_policy,
        strict: options.strict,
        offline: options.offline,
        max_bytes: options.max_bytes,
        max_objects: options.max_objects,
        types: options.types.clone(),
        ..Claims::new(scope(path, options.directory)?, exp)
    })
}

/// Refuses options of a link to one object whose link opens playlists only.
fn refuse_restrictions(options: &Options) -> Result<(), Error> {
    let found = [
        ("max_height", options.max_height.is_some()),
        ("preview", options.preview.is_some()),
        ("langs", options.langs.is_some()),
    ];
    match found.iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) => Err(Error::NotForObjects(name)),
        None => Ok(()),
    }
}

/// The object or directory that a URL's path names, decoded once.
fn scope(path: &str, directory: bool) -> Result<Scope, Error> {
    let encoded = path
        .strip_prefix('/')
        .ok_or(Error::Path(ObjectKeyError::NotAbsolute))?;
    let (encoded, slash) = match encoded.strip_suffix('/') {
        Some(folder) => (folder, "/"),
        None => (encoded, ""),
    };
    let key = percent_decode(encoded).map_err(Error::Path)?;
    let scope = Scope::parse(&format!("/{key}{slash}")).map_err(Error::Path)?;
    match scope {
        Scope::Object(key) if directory => {
            Scope::parse(&format!("/{}", key.directory().as_str())).map_err(Error::Path)
        }
        scope => Ok(scope),
    }
}

/// Checks that some object could open with these claims, without asking the edge.
///
/// # Errors
/// When no client and no configuration could open the link.
fn openable(claims: &Claims) -> Result<(), Error> {
    let text = claims.path.to_string();
    let is_own = |own: &str| text.starts_with(&format!("/{own}"));
    if is_own("~") || is_own(RESERVED) && claims.purpose != Purpose::Admin {
        return Err(Error::PathReserved);
    }
    if claims.path.root().depth() > MAX_DEPTH {
        return Err(Error::PathTooDeep);
    }
    // If the name has no known extension, the stored content type decides, and only the edge knows
    // it.
    let says = content_type::for_key(&text);
    let is_restricted =
        claims.max_height.is_some() || claims.preview.is_some() || claims.langs.is_some();
    let is_other = matches!(claims.path, Scope::Object(_))
        && ![content_type::UNKNOWN, content_type::HLS_PLAYLIST].contains(&says);
    if is_restricted && is_other && claims.purpose != Purpose::Upload {
        return Err(Error::NotAPlaylist);
    }
    Ok(())
}

/// Checks each claim, so that an error names it.
fn check(claims: &Claims) -> Result<(), Error> {
    match claims.first_violation() {
        Some((claim, rule)) => Err(Error::Claim { claim, rule }),
        None => Ok(()),
    }
}

/// A URL split as text (RFC 3986 §3), so that all but the token stays unchanged.
struct Url<'url> {
    origin: &'url str,
    path: &'url str,
    query: Option<&'url str>,
    fragment: Option<&'url str>,
}

impl<'url> Url<'url> {
    fn parse(url: &'url str) -> Result<Self, Error> {
        let (rest, fragment) = apart(url, '#');
        let (rest, query) = apart(rest, '?');
        let (scheme, rest_of_it) = rest.split_once("://").ok_or(Error::BadUrl)?;
        let host = rest_of_it.split('/').next().unwrap_or_default();
        let (origin, path) = rest
            .split_at_checked(scheme.len() + 3 + host.len())
            .ok_or(Error::BadUrl)?;
        let known = ["http", "https"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known));
        let blank = |text: &str| text.bytes().any(|byte| byte <= b' ' || byte == 0x7F);
        let ok = known
            && !host.is_empty()
            && !host.contains('\\')
            && ![Some(host), query, fragment]
                .into_iter()
                .flatten()
                .any(blank);
        ok.then_some(Self {
            origin,
            path,
            query,
            fragment,
        })
        .ok_or(Error::BadUrl)
    }

    fn token(&self) -> Option<&'url str> {
        let mut parameters = self.query?.split('&');
        parameters.find_map(|parameter| parameter.strip_prefix(PARAMETER)?.strip_prefix('='))
    }

    /// The URL with its token replaced, and invalid path characters percent-encoded.
    fn with_token(&self, token: &str) -> String {
        let mut url = self.origin.to_owned();
        for byte in self.path.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@/%".contains(&byte) {
                url.push(char::from(byte));
            } else {
                url.push_str(&format!("%{byte:02X}"));
            }
        }
        url.push_str(&self.query_with(PARAMETER, token));
        if let Some(fragment) = self.fragment {
            url.push('#');
            url.push_str(fragment);
        }
        url
    }

    /// The query with its question mark, in which a parameter has this value alone. An empty value
    /// removes the parameter.
    fn query_with(&self, parameter: &str, value: &str) -> String {
        let prefix = format!("{parameter}=");
        let query = self.query.filter(|query| !query.is_empty());
        let members = query.into_iter().flat_map(|query| query.split('&'));
        let is_it = |member: &str| member == parameter || member.starts_with(&prefix);
        let new = prefix.clone() + value;
        let kept = members.filter(|member| !is_it(member));
        let all: Vec<&str> = kept
            .chain((!value.is_empty()).then_some(new.as_str()))
            .collect();
        match all.is_empty() {
            true => String::new(),
            false => format!("?{}", all.join("&")),
        }
    }

    /// The URL of another object in the same folder, without a token.
    fn beside(&self, name: &str) -> Result<String, Error> {
        let slash = self.path.rfind('/');
        let slash = slash.ok_or(Error::Path(ObjectKeyError::NotAbsolute))?;
        let folder = self.path.get(..=slash).unwrap_or_default();
        let query = self.query_with(PARAMETER, "");
        let fragment = self.fragment.map(|fragment| format!("#{fragment}"));
        let fragment = fragment.unwrap_or_default();
        Ok(format!("{}{folder}{name}{query}{fragment}", self.origin))
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3).
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn apart(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}
