//! Requests about revocations, and the list that Workers KV holds. The first byte selects: a list, or
//! the query of an administrator's request.
#![no_main]

use std::sync::OnceLock;

use lectern::config::{Bindings, Config};
use lectern::credential::claims::{Claims, Purpose};
use lectern::credential::link::mint;
use lectern::decide::{Decision, decide};
use lectern::ledger::message::LedgerRequest;
use lectern::ledger::revocation::Revocations;
use lectern::object::key::Scope;
use lectern::operation::revocations::REVOCATIONS;
use lectern::request::Request;
use lectern_fuzz::{KEYS, NOW, ORIGIN};
use libfuzzer_sys::fuzz_target;

static EDGE: OnceLock<(Config, String)> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let Some((form, data)) = data.split_first() else {
        return;
    };
    if form % 2 == 0 {
        let _list = Revocations::from_json(data);
        return;
    }
    let (config, bearer) = EDGE.get_or_init(edge);
    let Ok(query) = str::from_utf8(data) else {
        return;
    };
    let header = |name: &str| (name == "authorization").then(|| bearer.clone());
    let request = Request {
        method: if form % 4 == 1 { "POST" } else { "DELETE" },
        origin: ORIGIN,
        path: REVOCATIONS,
        query: Some(query),
        header: &header,
        country: &|| None,
    };
    match decide(&request, config, NOW) {
        Decision::Revocations { message, .. } => {
            let json = message.to_json();
            assert_eq!(LedgerRequest::from_json(json.as_bytes()), Some(message));
        }
        Decision::Refuse(_) => {}
        decision => panic!("{decision:?}"),
    }
});

fn edge() -> (Config, String) {
    let config = Config::from_lookup(|name| (name == "LECTERN_KEYS").then(|| KEYS.to_owned()));
    let config = Config {
        bindings: Bindings {
            ledgers: true,
            revocations: true,
        },
        ..config.expect("a config")
    };
    let claims = Claims {
        purpose: Purpose::Admin,
        ..Claims::new(Scope::parse(REVOCATIONS).expect("a scope"), NOW + 60)
    };
    let bearer = format!("Bearer {}", mint(config.keys.minting(), &claims));
    (config, bearer)
}
