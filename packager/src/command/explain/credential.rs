//! The contents of a link or a pass in words.

use lectern::credential::claims::{CLAIMS, Claims};
use lectern::credential::link;
use lectern::credential::pass::{self, Pass, PassKind};
use lectern::credential::steering_token::SteeringToken;
use lectern::credential::ticket::Ticket;

use super::time::{format_span, format_time};

/// A credential's name, and its claims with their values.
pub(super) type Explained = (Option<String>, Vec<(&'static str, String)>);

pub(super) fn explain_link(token: &str, now: u64) -> Explained {
    match link::decode(token) {
        Ok((kid, claims)) => (
            Some(format!("link under the key `{kid}`")),
            format_claims(&claims, now),
        ),
        Err(error) => (Some(format!("no link: {error}")), Vec::new()),
    }
}

/// Explains the token of a request for a steering manifest.
pub(super) fn explain_steering(token: &str, now: u64) -> Explained {
    match SteeringToken::decode(token) {
        Ok((kid, token)) => {
            let mut claims = vec![
                ("playlist", format!("/{}", token.playlist)),
                ("ends", format_time(token.ends, now)),
            ];
            claims.extend(token.revision.map(|revision| ("revision", revision)));
            claims.extend(format_claims(&token.link, now));
            (
                Some(format!("steering token under the key `{kid}`")),
                claims,
            )
        }
        Err(error) => (Some(format!("no steering token: {error}")), Vec::new()),
    }
}

/// The viewer, link and place of a pass, which holds hashes, not names.
fn explain_ticket(ticket: &Ticket) -> String {
    let place = ticket
        .place
        .map(|place| format!("a player's place, one of {}", place.places));
    let parts = [
        ticket.viewer.map(|_| "its viewer".to_owned()),
        ticket.link.map(|_| "its link".to_owned()),
        place,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

pub(super) fn explain_pass(name: &str, text: &str, now: u64) -> Explained {
    let Pass {
        kind,
        expires,
        bound: (network, country),
        ticket,
    } = match pass::decode(text) {
        Ok(pass) => pass,
        Err(error) => return (Some(format!("no {name}: {error}")), Vec::new()),
    };
    let opens = match kind {
        PassKind::Object => "this object, as it is stored".to_owned(),
        PassKind::Playlist { .. } => "this playlist, and through passes what it lists".to_owned(),
        PassKind::AssetList { .. } => "this list of assets".to_owned(),
        PassKind::Storyboard { .. } => {
            "this storyboard, and through passes the images that it names".to_owned()
        }
        PassKind::Directory { depth } => format!("everything below the first {depth} folders"),
        PassKind::Restricted { preview: None, .. } => "this Media Playlist alone".to_owned(),
        PassKind::Restricted {
            preview: Some((from, to)),
            ..
        } => format!("this Media Playlist, from second {from} to second {to}"),
    };
    let mut claims = vec![("opens", opens), ("expires", format_time(expires, now))];
    if let Some(ticket) = ticket {
        claims.push(("names", explain_ticket(&ticket)));
    }
    if network {
        claims.push(("bound to", "the network its link was opened in".to_owned()));
    }
    if country {
        claims.push(("bound to", "the country its link was opened in".to_owned()));
    }
    (Some(name.to_owned()), claims)
}

fn format_claims(claims: &Claims, now: u64) -> Vec<(&'static str, String)> {
    // Serializing claims never fails, and gives the members that were minted.
    let Ok(serde_json::Value::Object(all)) = serde_json::to_value(claims) else {
        return Vec::new();
    };
    CLAIMS
        .into_iter()
        .filter_map(|name| {
            let value = all.get(name)?;
            let shown = match (name, value.as_u64()) {
                ("exp" | "nbf" | "iat", Some(time)) => format_time(time, now),
                ("watch" | "offline", Some(seconds)) => format_span(seconds),
                _ => value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            };
            Some((name, shown))
        })
        .collect()
}
