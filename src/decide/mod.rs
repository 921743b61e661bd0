//! The decision: from the facts of a request, the configuration and the time to everything that can happen, as one
//! enum. No storage is touched before a credential was verified here.

use crate::config::Config;
use crate::credential::claims::{Claims, Purpose};
use crate::credential::pass::{self, Minter, Pass, PassKind};
use crate::credential::{Credential, open_link, open_pass};
use crate::http::encoding::accepts_gzip;
use crate::http::precondition::Conditions;
use crate::http::problem::{Problem, Refusal};
use crate::http::range::ByteRange;
use crate::object::content_type;
use crate::object::key::{Directory, ObjectKey, Scope};
use crate::operation::list::List;
use crate::operation::read::{Read, Treatment};
use crate::operation::write::Write;
use crate::playlist::{Entitlements, Grant, Limits, is_playlist_name, is_storyboard_name};
use crate::request::{Request, object_key, parameter, split_path_pass};

/// Where the operator looks first.
pub const HEALTH: &str = "/_lectern/health";

/// Everything that can happen.
#[derive(Debug)]
pub enum Decision<'config> {
    /// `OPTIONS`: say what may be done here; nobody needs a link for that.
    Options,
    /// `GET /_lectern/health`: how the edge is; nobody needs a link for that.
    Health,
    /// 307 to this path on our own origin.
    Redirect(String),
    Read(Box<Read<'config>>),
    /// 200 with the names of what lies below a directory.
    List(List),
    Write(Write),
    Refuse(Refusal),
}

/// Decides what happens to a request at `now`.
#[must_use]
pub fn decide<'config>(
    request: &Request<'_>,
    config: &'config Config,
    now: u64,
) -> Decision<'config> {
    let decided = match request.method {
        "OPTIONS" => Ok(Decision::Options),
        "GET" | "HEAD" => read(request, config, now),
        "PUT" | "POST" | "DELETE" => write(request, config, now).map(Decision::Write),
        method => Err(Refusal::new(
            Problem::MethodNotAllowed,
            format!("method `{method}`"),
        )),
    };
    decided.unwrap_or_else(Decision::Refuse)
}

fn read<'config>(
    request: &Request<'_>,
    config: &'config Config,
    now: u64,
) -> Result<Decision<'config>, Refusal> {
    if request.path == HEALTH {
        return Ok(Decision::Health);
    }
    let (in_path, path) = split_path_pass(request.path);
    if request.method == "GET" && parameter(request.query, "as")? == Some("list") {
        return list(request, in_path, path, config, now).map(Decision::List);
    }
    let key = object_key(path)?;
    let mut attachment = false;
    let mut is_direct = false;
    let mut hides_link = false;
    let mut by_pass = true;
    let mut sub = None;
    let (treatment, expires, grant) = match Credential::of(request, in_path)? {
        Credential::PathPass(text) => {
            let pass = open_pass(text, &key, request, config, now)?;
            let PassKind::Directory { depth } = pass.kind else {
                return Err(Refusal::new(
                    Problem::Forbidden,
                    "an object's pass in the path",
                ));
            };
            let treatment = match by_name(&key) {
                _ if is_manifest_name(&key) => Treatment::Playlist,
                Treatment::ByContentType => Treatment::ByContentType,
                _ => Treatment::AsStored,
            };
            let limits = match treatment {
                Treatment::AsStored => Limits::None,
                _ => Limits::BelowPass,
            };
            let grant = grant_of(config, &key, depth, &pass, request, limits)?;
            (treatment, pass.expires, grant)
        }
        Credential::Pass(text) => {
            let pass = open_pass(text, &key, request, config, now)?;
            let (treatment, depth, limits) = match pass.kind {
                PassKind::Object => (Treatment::AsStored, 0, Limits::None),
                PassKind::Playlist { depth } => (Treatment::Playlist, depth, Limits::None),
                PassKind::AssetList { depth } => (Treatment::AssetList, depth, Limits::None),
                PassKind::Storyboard { depth } => (Treatment::Playlist, depth, Limits::Storyboard),
                PassKind::Restricted { depth, preview } => {
                    (Treatment::Playlist, depth, Limits::Media { preview })
                }
                PassKind::Directory { .. } => {
                    return Err(Refusal::new(
                        Problem::Forbidden,
                        "a directory's pass in the query",
                    ));
                }
            };
            let grant = grant_of(config, &key, depth, &pass, request, limits)?;
            (treatment, pass.expires, grant)
        }
        Credential::Link(link) => {
            let uses = [Purpose::Play, Purpose::Download, Purpose::Admin];
            let claims = open_link(&link, &key, &uses, request, config, now)?;
            let mut grant = grant_by_link(config, &claims, &key, request, now)?;
            // Players of a page read manifests under any name, and manifests can send the URL that they came by to another
            // host. A script gets such an object by a URL that opens this object alone.
            let is_manifest = is_manifest_name(&key) || is_storyboard_name(key.split().1);
            hides_link = request.is_by_script() && !is_manifest;
            let mut shape = shape(request, &key, &claims, &grant)?;
            if hides_link && shape == Shape::BelowPass {
                shape = Shape::Usual;
            }
            if shape == Shape::BelowPass {
                if key.directory().depth() == 0 {
                    let reason = "a directory's pass for the whole bucket";
                    return Err(Refusal::new(Problem::Forbidden, reason));
                }
                return location(&key, &grant).map(Decision::Redirect);
            }
            is_direct = shape == Shape::Stored;
            attachment = claims.purpose == Purpose::Download && key.has_extension("mp4");
            by_pass = false;
            sub = claims.sub;
            // A restricted link opens Multivariant Playlists alone, whatever they are called.
            if grant.limits == Limits::None && is_storyboard_name(key.split().1) {
                grant.limits = Limits::Storyboard;
            }
            let treatment = if is_direct {
                Treatment::AsStored
            } else {
                by_name(&key)
            };
            (treatment, claims.exp, grant)
        }
    };
    let header = request.header;
    let conditions = Conditions::parse(header, now);
    let gzip = header("accept-encoding").is_some_and(|value| accepts_gzip(&value));
    let head = request.method == "HEAD";
    // RFC 9110 §14.2: `Range` has a meaning for GET only.
    let range = header("range")
        .filter(|_| !head)
        .and_then(|value| ByteRange::parse(&value));
    Ok(Decision::Read(Box::new(Read {
        key,
        head,
        treatment,
        by_pass,
        is_direct,
        hides_link,
        attachment,
        conditions,
        range,
        gzip,
        sub,
        seconds_left: expires.saturating_sub(now),
        grant,
    })))
}

/// In which shape a link gives what it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Usual,
    /// Below a directory's pass in the path.
    BelowPass,
    /// As storage has it now, playlists too.
    Stored,
}

/// Below a directory's pass in the path come a DASH manifest, as far as the link opens it, and what is asked for with
/// `as=directory`, for players that keep a path but no query (casting, downloads). `as=stored` is for who administers: what
/// is there, and its entity-tag, to be replaced by `If-Match`.
fn shape(
    request: &Request<'_>,
    key: &ObjectKey,
    claims: &Claims,
    grant: &Grant<'_>,
) -> Result<Shape, Refusal> {
    let unrestricted = grant.limits == Limits::None;
    match parameter(request.query, "as")? {
        None if unrestricted && key.has_extension("mpd") => Ok(Shape::BelowPass),
        None => Ok(Shape::Usual),
        Some("directory") if unrestricted && matches!(claims.path, Scope::Directory(_)) => {
            Ok(Shape::BelowPass)
        }
        Some("directory") => Err(Refusal::new(
            Problem::Forbidden,
            "`as=directory` with a link that opens one object, or is restricted",
        )),
        Some("stored") if unrestricted && claims.purpose == Purpose::Admin => Ok(Shape::Stored),
        Some("stored") => Err(Refusal::new(
            Problem::Forbidden,
            "`as=stored` with a link that is not for `admin`, or is restricted",
        )),
        Some(_) => Err(Refusal::new(
            Problem::BadRequest,
            "`as` is `directory`, `stored`, `list`, or is left out",
        )),
    }
}

/// What a directory holds is told to who administers all of it.
fn list(
    request: &Request<'_>,
    in_path: Option<&str>,
    path: &str,
    config: &Config,
    now: u64,
) -> Result<List, Refusal> {
    let list = List::parse(request, path)?;
    let Credential::Link(link) = Credential::of(request, in_path)? else {
        return Err(Refusal::new(Problem::Forbidden, "a pass lists nothing"));
    };
    let claims = open_link(&link, &list.any, &[Purpose::Admin], request, config, now)?;
    let unrestricted =
        grant_by_link(config, &claims, &list.any, request, now)?.limits == Limits::None;
    if !unrestricted || !matches!(claims.path, Scope::Directory(_)) {
        return Err(Refusal::new(
            Problem::Forbidden,
            "a list with a link that opens one object, or is restricted",
        ));
    }
    Ok(list)
}

/// What a link that names the object makes of it: only where the name says nothing, the stored content type counts.
fn by_name(key: &ObjectKey) -> Treatment {
    let name = key.split().1;
    if is_playlist_name(name) || is_storyboard_name(name) {
        Treatment::Playlist
    } else if content_type::for_key(key.as_str()) == content_type::UNKNOWN {
        Treatment::ByContentType
    } else {
        Treatment::AsStored
    }
}

/// Whether the object has the name of a playlist or of a DASH manifest.
fn is_manifest_name(key: &ObjectKey) -> bool {
    is_playlist_name(key.split().1) || key.has_extension("mpd")
}

/// What a pass lets its playlist hand on: no more than it says itself.
fn grant_of<'config>(
    config: &'config Config,
    key: &ObjectKey,
    depth: u8,
    pass: &Pass,
    request: &Request<'_>,
    limits: Limits,
) -> Result<Grant<'config>, Refusal> {
    let root = Directory::ancestor_of(key, depth.into())
        .ok_or_else(|| Refusal::new(Problem::Forbidden, "the pass's root"))?;
    Ok(Grant {
        key: config.keys.minting(),
        expires: pass.expires,
        root,
        depth,
        place: request.place(pass.bound.0, pass.bound.1),
        limits,
    })
}

/// The grant of a link that opens `key`.
///
/// Its root is the object's own folder, however far the link reaches: whoever may write a playlist somewhere below a link's
/// folder hands on what lies beside that playlist, and nothing of the folders around it.
fn grant_by_link<'config>(
    config: &'config Config,
    claims: &Claims,
    key: &ObjectKey,
    request: &Request<'_>,
    now: u64,
) -> Result<Grant<'config>, Refusal> {
    let watch = claims
        .watch
        .unwrap_or(config.watch_window)
        .min(config.max_watch);
    let root = key.directory();
    let depth = depth(&root)?;
    let entitlements = Entitlements {
        max_height: claims.max_height,
        langs: claims.langs.clone(),
        preview: claims.preview,
    };
    Ok(Grant {
        key: config.keys.minting(),
        expires: pass::expiry(now, watch),
        root,
        depth,
        place: request.place(claims.ip.is_some(), claims.country.is_some()),
        limits: if entitlements == Entitlements::default() {
            Limits::None
        } else {
            Limits::Multivariant(entitlements)
        },
    })
}

/// Where a DASH manifest is read: below a directory's pass in the path, which its relative URLs inherit.
fn location(key: &ObjectKey, grant: &Grant<'_>) -> Result<String, Refusal> {
    let directory = key.directory();
    let depth = depth(&directory)?;
    let mut location = b"/~".to_vec();
    Minter::new(grant.key, grant.expires, grant.place).mint(
        PassKind::Directory { depth },
        directory.as_str(),
        "",
        &mut location,
    );
    // A pass is base64url, so this is text.
    let mut location = String::from_utf8(location).unwrap_or_default();
    location.push_str(&key.to_url_path());
    Ok(location)
}

/// How deep a directory lies. A pass says it in one byte; a deeper one must not become a wider one.
fn depth(directory: &Directory) -> Result<u8, Refusal> {
    u8::try_from(directory.depth())
        .map_err(|_| Refusal::new(Problem::Forbidden, "a path that is over 255 folders deep"))
}

fn write(request: &Request<'_>, config: &Config, now: u64) -> Result<Write, Refusal> {
    let (in_path, path) = split_path_pass(request.path);
    let key = object_key(path)?;
    match Credential::of(request, in_path)? {
        Credential::Link(link) => {
            let uses = [Purpose::Upload, Purpose::Admin];
            open_link(&link, &key, &uses, request, config, now)?;
        }
        Credential::Pass(_) | Credential::PathPass(_) => {
            return Err(Refusal::new(Problem::Forbidden, "a pass writes nothing"));
        }
    }
    Write::parse(request, key, config, now)
}

#[cfg(test)]
mod tests;
