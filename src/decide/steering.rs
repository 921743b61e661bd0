//! Decides on requests for steering manifests: `/_lectern/steering/<playlist>?token=…`.

use super::{Decision, SteeringRead, grant_by_link, place};
use crate::config::Config;
use crate::credential::claims::Purpose;
use crate::credential::steering_token::SteeringToken;
use crate::credential::ticket::SessionId;
use crate::credential::{link_refusal, permit};
use crate::http::encoding::accepts_gzip;
use crate::http::precondition::Conditions;
use crate::http::problem::{Problem, Refusal};
use crate::ledger::{PlaceRequest, ViewerChecks};
use crate::object::key::ObjectKey;
use crate::operation::read::{Naming, Read, Steering, Treatment};
use crate::playlist::steering::{STEERING, SteeringTime};
use crate::request::{Request, object_key, parameter};

/// Decides on a request for a steering manifest. A request with a signed token is never answered
/// with a refusal that counts, so no other viewer of its address gets it 429.
pub(super) fn steering<'config>(
    request: &Request<'_>,
    config: &'config Config,
    now: u64,
) -> Result<Decision<'config>, Refusal> {
    let path = request.path.strip_prefix(STEERING).unwrap_or_default();
    let key = object_key(path)?;
    let text = parameter(request.query, "token")?
        .ok_or_else(|| Refusal::new(Problem::MissingToken, "no steering token"))?;
    let token = SteeringToken::verify_signature(text, &config.keys).map_err(link_refusal)?;
    let read = steering_read(token, key, request, config, now).map_err(Refusal::ends_steering)?;
    Ok(Decision::Steering(Box::new(read)))
}

fn steering_read<'config>(
    token: SteeringToken,
    key: ObjectKey,
    request: &Request<'_>,
    config: &'config Config,
    now: u64,
) -> Result<SteeringRead<'config>, Refusal> {
    token
        .check_times(now, config.max_watch)
        .map_err(link_refusal)?;
    if token.playlist != key {
        let reason = "the steering token is for another playlist";
        return Err(Refusal::new(Problem::Forbidden, reason));
    }
    let SteeringToken {
        link: mut claims,
        revision,
        opened,
        ends,
        ..
    } = token;
    let uses = [Purpose::Play, Purpose::Download, Purpose::Admin];
    permit(&claims, &key, &uses, request, config)?;
    let time = SteeringTime { opened, ends, now };
    // New passes live until the end of `watch`, or less.
    claims.watch = Some(ends.saturating_sub(now));
    let mut grant = grant_by_link(config, &claims, &key, request, now)?;
    let place = match claims.sessions {
        Some(places) => place(request, &key, &claims, places, config)?,
        None => None,
    };
    if place.is_some_and(|place| place.session == SessionId::default()) {
        let reason = "the player does not name its session";
        return Err(Refusal::new(Problem::Forbidden, reason));
    }
    let viewer = ViewerChecks {
        asks_revocations: grant.ticket.is_some() && config.bindings.revocations,
        place: place.map(|_| PlaceRequest::Keep),
        position_of: None,
    };
    if let Some(ticket) = &mut grant.ticket {
        ticket.place = place;
    }
    let pinned = revision.as_deref().and_then(|revision| {
        let (folder, name) = key.split();
        ObjectKey::new(format!("{folder}v/{revision}/{name}")).ok()
    });
    let accepted = (request.header)("accept-encoding");
    let read = Read {
        now,
        key,
        is_head: request.method == "HEAD",
        treatment: Treatment::Steering,
        has_pass: true,
        is_for_admin: false,
        hides_link: false,
        attachment: None,
        name: Naming::Exact,
        conditions: Conditions::default(),
        range: None,
        accepts_gzip: accepted.is_some_and(|value| accepts_gzip(&value)),
        sub: claims.sub,
        viewer,
        seconds_left: grant.expires.saturating_sub(now),
        steering: Some(Steering::Manifest(revision, time)),
        grant,
    };
    Ok(SteeringRead { read, pinned })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Bindings;
    use crate::credential::claims::{Claims, STRICT_SECONDS};
    use crate::credential::link;
    use crate::credential::steering_token::SteeringOffer;
    use crate::credential::ticket::{seal_session, viewer_hash};
    use crate::decide::decide;
    use crate::playlist::{Entitlements, Limits};

    const NOW: u64 = 1_800_000_000;

    fn config() -> Config {
        let config = Config::from_lookup(|name| {
            let keys = r#"[{"kid":"k","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#;
            (name == "LECTERN_KEYS").then(|| keys.to_owned())
        });
        Config {
            bindings: Bindings {
                ledgers: true,
                revocations: true,
            },
            ..config.expect("a config")
        }
    }

    /// The claims of a strict link with further ones.
    fn strict(more: &str) -> Claims {
        let json = format!(r#"{{"path":"/c/","exp":{NOW},"strict":true,"watch":600{more}}}"#);
        Claims::from_json(json.as_bytes()).expect("claims")
    }

    fn token(config: &Config, claims: &Claims, revision: Option<&str>) -> String {
        let key = ObjectKey::new("c/l/master.m3u8").expect("a key");
        let link = link::mint(config.keys.minting(), claims);
        let offer = SteeringOffer::new(&link, NOW, 600).expect("an offer");
        let token = offer.mint(&key, revision, config.keys.minting());
        token.expect("a token")
    }

    /// Decides on `url` at `now`, from `address`.
    fn at<'config>(
        config: &'config Config,
        url: &str,
        address: &str,
        now: u64,
    ) -> Decision<'config> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let request = Request {
            method: "GET",
            origin: "https://edge.example",
            path,
            query: Some(query),
            header: &|name| (name == "cf-connecting-ip").then(|| address.to_owned()),
            country: &|| None,
        };
        decide(&request, config, now)
    }

    fn steering_read_of<'config>(config: &'config Config, url: &str) -> SteeringRead<'config> {
        match at(config, url, "192.0.2.1", NOW + 24) {
            Decision::Steering(read) => *read,
            decision => panic!("{url}: {decision:?}"),
        }
    }

    #[test]
    fn a_strict_link_gives_passes_of_a_minute_or_less() {
        let config = config();
        for (claims, watch, life) in [
            (r#"{"path":"/c/","exp":1800000000}"#, None, 21_600),
            (
                r#"{"path":"/c/","exp":1800000000,"strict":false}"#,
                None,
                21_600,
            ),
            (
                r#"{"path":"/c/","exp":1800000000,"strict":true}"#,
                Some(21_600),
                STRICT_SECONDS,
            ),
            (
                r#"{"path":"/c/","exp":1800000000,"strict":true,"watch":20}"#,
                Some(20),
                20,
            ),
        ] {
            let claims = Claims::from_json(claims.as_bytes()).expect("claims");
            let token = link::mint(config.keys.minting(), &claims);
            let url = format!("/c/l/master.m3u8?token={token}");
            let Decision::Read(read) = at(&config, &url, "", NOW) else {
                panic!("{claims:?}");
            };
            assert_eq!(read.grant.expires, NOW + life, "{claims:?}");
            let end = match read.steering {
                Some(Steering::Announced(offer)) => Some(offer.ends()),
                _ => None,
            };
            assert_eq!(end, watch.map(|watch| NOW + watch), "{claims:?}");
        }
    }

    #[test]
    fn a_strict_link_opens_nothing_whose_passes_no_player_renews() {
        let config = config();
        let token = link::mint(config.keys.minting(), &strict(""));
        for (url, opens) in [
            (format!("/c/l/master.m3u8?token={token}"), true),
            (format!("/c/l/x.mp4?token={token}"), true),
            (format!("/c/l/manifest.mpd?token={token}"), false),
            (
                format!("/c/l/master.m3u8?as=directory&token={token}"),
                false,
            ),
        ] {
            let opened = matches!(at(&config, &url, "", NOW), Decision::Read(_));
            assert_eq!(opened, opens, "{url}");
        }
    }

    #[test]
    fn a_token_gives_what_its_link_gave() {
        let config = config();
        let claims = strict(r#","sub":"s42","jti":"l1","max_height":720,"ip":["192.0.2.0/24"]"#);
        let url = "/_lectern/steering/c/l/master.m3u8?token=";
        let url = format!("{url}{}", token(&config, &claims, Some("0a1b")));
        let SteeringRead { read, pinned } = steering_read_of(&config, &url);
        let pinned = pinned.expect("a revision");
        assert_eq!(pinned.as_str(), "c/l/v/0a1b/master.m3u8");
        assert_eq!(read.key.as_str(), "c/l/master.m3u8");
        let limits = Limits::RestrictedLink(Entitlements {
            max_height: Some(720),
            ..Entitlements::default()
        });
        let grant = &read.grant;
        assert_eq!((grant.root.as_str(), grant.depth), ("c/l/", 2));
        assert_eq!(grant.limits, limits);
        assert!(grant.binding.network.is_some());
        // The next step, of 6 s.
        assert_eq!(grant.expires, NOW + 84);
        assert!(read.viewer.asks_revocations && grant.ticket.is_some());
    }

    #[test]
    fn a_player_that_is_counted_names_its_session() {
        let config = config();
        let claims = strict(r#","sub":"s42","sessions":2"#);
        let url = format!(
            "/_lectern/steering/c/l/master.m3u8?token={}",
            token(&config, &claims, None)
        );
        let sealed =
            |viewer: &str| seal_session(config.keys.minting(), &viewer_hash(viewer), &[7; 8]);
        let named = format!("{url}&session={}", sealed("s42"));
        let read = steering_read_of(&config, &named).read;
        assert_eq!(read.viewer.place, Some(PlaceRequest::Keep));
        let place = read.grant.ticket.and_then(|ticket| ticket.place);
        assert_eq!(
            place.map(|place| (place.session, place.places)),
            Some(([7; 8], 2))
        );
        for url in [
            &url,
            &format!("{url}&session=x"),
            &format!("{url}&session={}", sealed("s1")),
        ] {
            assert_eq!(problem(&config, url, NOW), "steering_ended", "{url}");
        }
    }

    fn problem(config: &Config, url: &str, now: u64) -> &'static str {
        match at(config, url, "198.51.100.1", now) {
            Decision::Refuse(refusal) => refusal.problem.code(),
            Decision::Steering(_) => "steering",
            decision => panic!("{url}: {decision:?}"),
        }
    }

    #[test]
    fn only_a_token_of_the_edge_steers_and_what_is_over_is_not_asked_for_again() {
        let config = config();
        let steering = |claims: &str| token(&config, &strict(claims), None);
        let plain = steering("");
        let link = link::mint(config.keys.minting(), &strict(""));
        let own = "/_lectern/steering/c/l/master.m3u8";
        for (path, query, age, expected) in [
            (own, format!("token={plain}"), 24, "steering"),
            (
                own,
                format!("token={plain}&_HLS_pathway=.&_HLS_throughput=1"),
                24,
                "steering",
            ),
            (own, format!("token={plain}"), 600, "steering"),
            (own, format!("token={plain}"), 601, "steering_ended"),
            // Not yet valid: the clock of the data centre is wrong.
            (own, format!("token={plain}&a"), 0, "steering"),
            (own, String::new(), 24, "missing_token"),
            (own, "token=x".to_owned(), 24, "forbidden"),
            (own, format!("token={link}"), 24, "forbidden"),
            (own, format!("token={plain}A"), 24, "forbidden"),
            (
                own,
                format!("token={plain}&token={plain}"),
                24,
                "bad_request",
            ),
            (
                "/_lectern/steering/c/l/other.m3u8",
                format!("token={plain}"),
                24,
                "steering_ended",
            ),
            (
                "/_lectern/steering",
                format!("token={plain}"),
                24,
                "bad_path",
            ),
            (
                "/_lectern/steeringc/l/master.m3u8",
                format!("token={plain}"),
                24,
                "bad_path",
            ),
            (
                "/_lectern/steering/_lectern/x",
                format!("token={plain}"),
                24,
                "not_found",
            ),
            (
                own,
                format!("token={}", steering(r#","ip":["192.0.2.0/24"]"#)),
                24,
                "steering_ended",
            ),
            (
                own,
                format!("token={}", steering(r#","country":["DE"]"#)),
                24,
                "steering_ended",
            ),
            (
                own,
                format!("token={}", steering(r#","origin":["https://a.example"]"#)),
                24,
                "steering_ended",
            ),
            (
                own,
                format!("token={}", steering(r#","use":"upload""#)),
                24,
                "steering_ended",
            ),
        ] {
            let url = format!("{path}?{query}");
            assert_eq!(problem(&config, &url, NOW + age), expected, "{url} {age}");
        }
        // A token that other bounds allowed.
        let bounded = Config {
            max_watch: 569,
            ..config
        };
        let url = format!("{own}?token={plain}");
        assert_eq!(problem(&bounded, &url, NOW), "steering_ended");
    }
}
