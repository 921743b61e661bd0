//! The decision: request, configuration and time make one enum of all outcomes. Storage is not
//! accessed before a credential is verified here.

mod grant;
mod status;
mod steering;
mod watched;
mod write;

use self::grant::{checks_of_pass, grant_by_link, grant_of, ticket, watch};
use crate::config::Config;
use crate::credential::claims::{Claims, Purpose, SessionsPolicy};
use crate::credential::pass::PassKind;
use crate::credential::steering_token::SteeringOffer;
use crate::credential::ticket::{Place, SessionId, Ticket, open_session, viewer_hash};
use crate::credential::{Credential, open_link, open_pass};
use crate::http::encoding::accepts_gzip;
use crate::http::precondition::Conditions;
use crate::http::problem::{Problem, Refusal};
use crate::http::range::ByteRange;
use crate::ledger::message::LedgerRequest;
use crate::ledger::{PlaceRequest, ViewerChecks};
use crate::object::content_type;
use crate::object::key::{ObjectKey, Scope};
use crate::operation::list::List;
use crate::operation::read::{Naming, Read, Steering, Treatment, path_below_pass};
use crate::operation::revocations::{self, REVOCATIONS};
use crate::operation::stable_name;
use crate::operation::status::status_subject;
use crate::operation::upload_bounds::UploadBounds;
use crate::operation::watched::{AdminWatch, PlayerWatch, WATCHED, WATCHED_FOLDER};
use crate::operation::write::Write;
use crate::playlist::steering::STEERING;
use crate::playlist::{Grant, Limits, is_playlist_name, is_storyboard_name};
use crate::request::{Request, decoded, object_key, parameter, split_path_pass};

/// The path of the health check.
pub const HEALTH: &str = "/_lectern/health";

/// Every outcome of a request.
#[derive(Debug)]
pub enum Decision<'config> {
    /// `OPTIONS`: describes methods and headers. Needs no credential.
    Options,
    /// `GET /_lectern/health`: the state of the edge. Needs no credential.
    Health,
    /// 307 to a path on the same origin.
    Redirect(Box<Redirect<'config>>),
    Read(Box<Read<'config>>),
    /// The steering manifest of a strict link's player.
    Steering(Box<SteeringRead<'config>>),
    /// Reads or changes the list of revocations.
    Revocations {
        message: LedgerRequest,
        /// The administrator and his link, which may be revoked.
        ticket: Option<Ticket>,
    },
    /// Takes a report of a player in, or answers its viewer's progress.
    PlayerWatch(Box<PlayerWatch>),
    /// Lists or forgets what viewers watched.
    AdminWatch {
        request: AdminWatch,
        /// The administrator and his link, which may be revoked.
        ticket: Option<Ticket>,
    },
    /// 200 with the names of the objects below a directory.
    List {
        list: List,
        /// The administrator and his link, which may be revoked.
        ticket: Option<Ticket>,
    },
    Write {
        write: Write,
        /// The viewer and the link, which may be revoked.
        ticket: Option<Ticket>,
        /// The link's bounds.
        bounds: UploadBounds,
    },
    Refuse(Refusal),
}

/// A redirect to an object below a pass for its directory.
#[derive(Debug)]
pub struct Redirect<'config> {
    pub key: ObjectKey,
    pub grant: Grant<'config>,
    pub viewer: ViewerChecks,
}

impl Redirect<'_> {
    /// The path to redirect to.
    #[must_use]
    pub fn location(&self) -> String {
        path_below_pass(&self.key, &self.grant)
    }
}

/// A request for a steering manifest.
#[derive(Debug)]
pub struct SteeringRead<'config> {
    /// Reads the opened playlist as it is now. It may be of another revision.
    pub read: Read<'config>,
    /// The playlist of the revision that the player opened, if it opened one. Older packages do not
    /// have it.
    pub pinned: Option<ObjectKey>,
}

/// Decides the outcome of a request at `now`.
#[must_use]
pub fn decide<'config>(
    request: &Request<'_>,
    config: &'config Config,
    now: u64,
) -> Decision<'config> {
    let decided = match request.method {
        "OPTIONS" => Ok(Decision::Options),
        _ if request.path == REVOCATIONS => revocations(request, config, now),
        "GET" | "HEAD" if request.path.starts_with(STEERING) => {
            steering::steering(request, config, now)
        }
        _ if request.path == WATCHED => watched::by_player(request, config, now),
        _ if request.path.starts_with(WATCHED_FOLDER) => {
            watched::by_administrator(request, config, now)
        }
        "GET" | "HEAD" => read(request, config, now),
        "PUT" | "POST" | "DELETE" => write::write(request, config, now),
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
        return list(request, in_path, path, config, now);
    }
    let key = object_key(path)?;
    let mut attachment = None;
    let mut name = Naming::Exact;
    let mut is_for_admin = false;
    let mut hides_link = false;
    let mut has_pass = true;
    let viewer;
    let mut sub = None;
    let mut steering = None;
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
                _ if is_manifest_name(&key) => Treatment::Rewrite,
                Treatment::ByContentType => Treatment::ByContentType,
                _ => Treatment::AsStored,
            };
            let grant = grant_of(config, &key, depth, &pass, request, Limits::DirectoryPass)?;
            viewer = checks_of_pass(&pass, config);
            (treatment, pass.expires, grant)
        }
        Credential::Pass(text) => {
            let pass = open_pass(text, &key, request, config, now)?;
            let (treatment, depth, limits) = match pass.kind {
                PassKind::Object => (Treatment::AsStored, 0, Limits::None),
                PassKind::Playlist { depth } => (Treatment::Rewrite, depth, Limits::None),
                PassKind::AssetList { depth } => (Treatment::AssetList, depth, Limits::None),
                PassKind::Storyboard { depth } => (Treatment::Rewrite, depth, Limits::Storyboard),
                PassKind::Restricted { depth, preview } => {
                    (Treatment::Rewrite, depth, Limits::Media { preview })
                }
                PassKind::Directory { .. } => {
                    return Err(Refusal::new(
                        Problem::Forbidden,
                        "a directory's pass in the query",
                    ));
                }
            };
            attachment = attachment_name(request, &key, treatment, Purpose::Play)?;
            let grant = grant_of(config, &key, depth, &pass, request, limits)?;
            viewer = checks_of_pass(&pass, config);
            (treatment, pass.expires, grant)
        }
        Credential::Link(link) => {
            if let Some(upload) = status_subject(&key)
                && let Ok(claims) =
                    open_link(&link, &upload, &[Purpose::Upload], request, config, now)
            {
                return status::status(request, key, &claims, config, now);
            }
            let uses = [Purpose::Play, Purpose::Download, Purpose::Admin];
            let claims = open_link(&link, &key, &uses, request, config, now)?;
            let mut grant = grant_by_link(config, &claims, &key, request, now)?;
            let place = match claims.sessions {
                Some(places) => place(request, &key, &claims, places, config)?,
                None => None,
            };
            viewer = ViewerChecks {
                asks_revocations: grant.ticket.is_some() && config.bindings.revocations,
                // A player that names its session goes on. It never takes another player's place.
                place: place.map(|place| match place.session == SessionId::default() {
                    true => PlaceRequest::Take,
                    false => PlaceRequest::Keep,
                }),
                position_of: watched::position_of(request, &key, &claims, config)?,
            };
            if let Some(ticket) = &mut grant.ticket {
                ticket.place = place;
            }
            // Players in a page read a manifest under any name, and a manifest can send its own URL
            // to another host. So a script gets the object by a URL that opens only this object.
            let may_hide_manifest = request.is_by_script() && !is_manifest_name(&key);
            // The edge checks storyboards like playlists, but not below a directory's pass.
            hides_link = may_hide_manifest && !is_storyboard_name(key.split().1);
            let mut shape = shape(request, &key, &claims, &grant)?;
            if may_hide_manifest && shape == Shape::DirectoryPass {
                shape = Shape::Usual;
            }
            let has_directory_pass = matches!(shape, Shape::DirectoryPass | Shape::Manifest);
            if has_directory_pass && key.directory().depth() == 0 {
                let reason = "a directory's pass for the whole bucket";
                return Err(Refusal::new(Problem::Forbidden, reason));
            }
            // Such a pass opens playlists and media, so their player must be known.
            if has_directory_pass && claims.sessions.is_some() && place.is_none() {
                let reason = "a directory's pass without a place";
                return Err(Refusal::new(Problem::Forbidden, reason));
            }
            if has_directory_pass && claims.strict {
                let reason = "a link with `strict` opens no DASH manifest, and nothing with `as=directory`: no player \
                              renews the pass for the folder";
                return Err(Refusal::new(Problem::Forbidden, reason));
            }
            if shape == Shape::DirectoryPass {
                let redirect = Redirect { key, grant, viewer };
                return Ok(Decision::Redirect(Box::new(redirect)));
            }
            is_for_admin = shape == Shape::Stored;
            if !is_for_admin && stable_name::is_stable_name(&key) {
                // A strict link's pass ends before the ranges of a playback do.
                let redirects = stable_name::is_download(&key) && !claims.strict;
                name = Naming::Stable { redirects };
            }
            has_pass = false;
            // A restricted link opens Multivariant Playlists only, under any name.
            if grant.limits == Limits::None && is_storyboard_name(key.split().1) {
                grant.limits = Limits::Storyboard;
            }
            let treatment = match shape {
                Shape::Stored => Treatment::AsStored,
                Shape::Manifest => Treatment::Manifest,
                Shape::Usual | Shape::DirectoryPass => by_name(&key),
            };
            attachment = attachment_name(request, &key, treatment, claims.purpose)?;
            if claims.strict {
                let offer = SteeringOffer::new(&link, now, watch(&claims, config));
                steering = offer.map(Steering::Announced);
            }
            sub = claims.sub;
            (treatment, claims.exp, grant)
        }
    };
    let header = request.header;
    let conditions = Conditions::parse(header, now);
    let accepts_gzip = header("accept-encoding").is_some_and(|value| accepts_gzip(&value));
    let is_head = request.method == "HEAD";
    // RFC 9110 §14.2 defines `Range` for `GET` only.
    let range = header("range")
        .filter(|_| !is_head)
        .and_then(|value| ByteRange::parse(&value));
    Ok(Decision::Read(Box::new(Read {
        key,
        is_head,
        treatment,
        has_pass,
        is_for_admin,
        hides_link,
        attachment,
        name,
        conditions,
        range,
        accepts_gzip,
        sub,
        viewer,
        seconds_left: expires.saturating_sub(now),
        now,
        steering,
        grant,
    })))
}

/// The form in which a link serves its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Usual,
    /// A DASH manifest whose base URL has a directory's pass.
    Manifest,
    /// Below a directory's pass in the path.
    DirectoryPass,
    /// As storage holds it now, playlists included.
    Stored,
}

/// The form in which a link serves `key`. A DASH manifest names the URL of its folder, with a
/// directory's pass: FFmpeg ignores where a redirect leads. For a script it comes below that pass in
/// the path, because a manifest could send its own URL, with the link, to another host. So does
/// `as=directory`, for players that keep a path but no query (casting, downloads). `as=stored` lets
/// administrators replace an object with `If-Match`: it returns the stored bytes
/// and their entity-tag.
fn shape(
    request: &Request<'_>,
    key: &ObjectKey,
    claims: &Claims,
    grant: &Grant<'_>,
) -> Result<Shape, Refusal> {
    let unrestricted = grant.limits == Limits::None;
    match parameter(request.query, "as")? {
        None if unrestricted && key.has_extension("mpd") => Ok(match request.is_by_script() {
            true => Shape::DirectoryPass,
            false => Shape::Manifest,
        }),
        None => Ok(Shape::Usual),
        Some("directory") if unrestricted && matches!(claims.path, Scope::Directory(_)) => {
            Ok(Shape::DirectoryPass)
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
            "`as` must be `directory`, `stored` or `list`",
        )),
    }
}

/// The file name of an object that a browser saves: an MP4 file of a link with `use: download`, or
/// any object with `download` in the query, whose value is the title. Rewritten objects have none.
fn attachment_name(
    request: &Request<'_>,
    key: &ObjectKey,
    treatment: Treatment,
    purpose: Purpose,
) -> Result<Option<String>, Refusal> {
    if !matches!(treatment, Treatment::AsStored | Treatment::ByContentType) {
        return Ok(None);
    }
    let is_download = purpose == Purpose::Download && key.has_extension("mp4");
    let title = match parameter(request.query, "download")? {
        None if !is_download => return Ok(None),
        title => decoded(title.unwrap_or_default()),
    };
    let reason = "`download` is not percent-encoded UTF-8";
    let title = title.ok_or_else(|| Refusal::new(Problem::BadRequest, reason))?;
    Ok(Some(stable_name::download_name(key, &title)))
}

/// Lists a directory for a link that administers all of it.
fn list<'config>(
    request: &Request<'_>,
    in_path: Option<&str>,
    path: &str,
    config: &'config Config,
    now: u64,
) -> Result<Decision<'config>, Refusal> {
    let list = List::parse(request, path)?;
    let Credential::Link(link) = Credential::of(request, in_path)? else {
        return Err(Refusal::new(Problem::Forbidden, "a pass cannot list"));
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
    let ticket = ticket(&claims, config);
    Ok(Decision::List { list, ticket })
}

/// Parses a request about revocations. Its link administers the edge's own path, which no link for
/// lectures contains.
fn revocations<'config>(
    request: &Request<'_>,
    config: &Config,
    now: u64,
) -> Result<Decision<'config>, Refusal> {
    let Credential::Link(link) = Credential::of(request, None)? else {
        return Err(Refusal::new(Problem::Forbidden, "a pass cannot revoke"));
    };
    let key = ObjectKey::new(REVOCATIONS.trim_start_matches('/'))
        .map_err(|error| Refusal::new(Problem::BadPath, error))?;
    let claims = open_link(&link, &key, &[Purpose::Admin], request, config, now)?;
    if !config.bindings.revocations || !config.bindings.ledgers {
        let reason = "the edge has no bindings `LEDGERS` and `REVOCATIONS`";
        return Err(Refusal::new(Problem::NotFound, reason));
    }
    let longest = config.max_link_age.saturating_add(config.max_watch);
    Ok(Decision::Revocations {
        message: revocations::parse(request, now, longest)?,
        ticket: ticket(&claims, config),
    })
}

/// The treatment of an object by its name. If the name does not decide, the stored content type
/// does.
fn by_name(key: &ObjectKey) -> Treatment {
    let name = key.split().1;
    if is_playlist_name(name) || is_storyboard_name(name) {
        Treatment::Rewrite
    } else if content_type::for_key(key.as_str()) == content_type::UNKNOWN {
        Treatment::ByContentType
    } else {
        Treatment::AsStored
    }
}

/// Returns whether the object has the name of a playlist or of a DASH manifest.
fn is_manifest_name(key: &ObjectKey) -> bool {
    is_playlist_name(key.split().1) || key.has_extension("mpd")
}

/// The place of a player that opens this object with a link that counts players. `None` for objects
/// that are shown beside a player, such as a poster. Media are refused: a link opens them without
/// its player being known.
fn place(
    request: &Request<'_>,
    key: &ObjectKey,
    claims: &Claims,
    places: u32,
    config: &Config,
) -> Result<Option<Place>, Refusal> {
    let name = key.split().1;
    if !is_manifest_name(key) {
        let is_beside = is_storyboard_name(name)
            || ["jpg", "jpeg", "png", "webp", "vtt"]
                .iter()
                .any(|extension| key.has_extension(extension));
        let reason = "a link with `sessions` opens playlists, captions and images";
        return match is_beside {
            true => Ok(None),
            false => Err(Refusal::new(Problem::Forbidden, reason)),
        };
    }
    // A player that renews its passes names its session. Zeros stand for a new one, also in place of
    // a session that the edge did not give to this viewer.
    let named = parameter(request.query, "session")?;
    let viewer = claims.sub.as_deref().map(viewer_hash).unwrap_or_default();
    let session = named.and_then(|text| open_session(text, &viewer, &config.keys));
    let session = session.unwrap_or_default();
    Ok(Some(Place {
        session,
        places: u8::try_from(places).unwrap_or(u8::MAX),
        newest_wins: claims.sessions_policy != Some(SessionsPolicy::Oldest),
    }))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod upload_tests;
