//! Decisions about what viewers watched.

use super::{Decision, is_manifest_name, place, ticket};
use crate::config::Config;
use crate::credential::claims::{Claims, Purpose};
use crate::credential::ticket::{SessionId, ViewerHash, viewer_hash};
use crate::credential::{Credential, open_ended_link, open_link};
use crate::http::problem::{Problem, Refusal};
use crate::ledger::report::Lecture;
use crate::object::key::ObjectKey;
use crate::operation::watched::{AdminWatch, PlayerAction, PlayerWatch, WATCHED_FOLDER};
use crate::playlist::is_playlist_name;
use crate::request::{Request, decoded, object_key, parameter};

/// Parses a request of a player: its link opens the object of `path`, and names the viewer.
pub(super) fn by_player<'config>(
    request: &Request<'_>,
    config: &'config Config,
    now: u64,
) -> Result<Decision<'config>, Refusal> {
    let bad = |reason: &str| Refusal::new(Problem::BadRequest, reason);
    let link = link(request)?;
    let path = parameter(request.query, "path")?;
    let path = path.ok_or_else(|| bad("`path` names the object that plays"))?;
    // `URLSearchParams` encodes slashes, so the path is decoded as a parameter, and then as a path.
    let path = decoded(path).ok_or_else(|| bad("`path` is not percent-encoded UTF-8"))?;
    let key = object_key(&path)?;
    let uses = [Purpose::Play, Purpose::Download];
    // A lecture goes on after its link's `exp`, and its reports with it.
    let claims = open_ended_link(&link, &key, &uses, request, config, now)?;
    has_ledgers(config)?;
    if claims.preview.is_some() {
        return Err(bad("a preview is not the lecture, so it has no watch data"));
    }
    let viewer = claims.sub.clone();
    let viewer = viewer.ok_or_else(|| bad("the link has no `sub`, so it names no viewer"))?;
    let lecture = Lecture::of(&key).map_err(bad)?;
    let action = PlayerAction::parse(request)?;
    let place = match claims.sessions {
        Some(places) if is_manifest_name(&key) && action != PlayerAction::Progress => {
            place(request, &key, &claims, places, config)?
        }
        _ => None,
    };
    Ok(Decision::PlayerWatch(Box::new(PlayerWatch {
        hash: viewer_hash(&viewer),
        viewer,
        key,
        lecture,
        // A report takes no place. It keeps that of the session that it names.
        place: place.filter(|place| place.session != SessionId::default()),
        ticket: ticket(&claims, config),
        action,
    })))
}

/// The viewer whose position in the lecture a link asks for, with `with=position`. `None` where the
/// edge keeps no watch data.
pub(super) fn position_of(
    request: &Request<'_>,
    key: &ObjectKey,
    claims: &Claims,
    config: &Config,
) -> Result<Option<ViewerHash>, Refusal> {
    let is_asked = parameter(request.query, "with")? == Some("position");
    let is_kept = config.bindings.ledgers
        && claims.purpose != Purpose::Admin
        && claims.preview.is_none()
        && is_playlist_name(key.split().1)
        && Lecture::of(key).is_ok();
    let viewer = claims.sub.as_deref().filter(|_| is_asked && is_kept);
    Ok(viewer.map(viewer_hash))
}

/// Parses a request of an administrator of the edge's own folder.
pub(super) fn by_administrator<'config>(
    request: &Request<'_>,
    config: &'config Config,
    now: u64,
) -> Result<Decision<'config>, Refusal> {
    let link = link(request)?;
    let key = ObjectKey::new(format!("{}any", WATCHED_FOLDER.trim_start_matches('/')))
        .map_err(|error| Refusal::new(Problem::BadPath, error))?;
    let claims = open_link(&link, &key, &[Purpose::Admin], request, config, now)?;
    has_ledgers(config)?;
    Ok(Decision::AdminWatch {
        request: AdminWatch::parse(request)?,
        ticket: ticket(&claims, config),
    })
}

fn link(request: &Request<'_>) -> Result<String, Refusal> {
    match Credential::of(request, None)? {
        Credential::Link(link) => Ok(link),
        Credential::Pass(_) | Credential::PathPass(_) => Err(Refusal::new(
            Problem::Forbidden,
            "a pass does not open watch data",
        )),
    }
}

fn has_ledgers(config: &Config) -> Result<(), Refusal> {
    match config.bindings.ledgers {
        true => Ok(()),
        false => Err(Refusal::new(
            Problem::NotFound,
            "the edge has no binding `LEDGERS`",
        )),
    }
}
