//! The reference in `docs/reference/` matches the code.

use lectern::config::Config;
use lectern::credential::keyring::Keyring;
use lectern::credential::link;

const CLAIMS: &str = include_str!("../docs/reference/claims.md");
const CONFIGURATION: &str = include_str!("../docs/reference/configuration.md");

/// The only line between fences that looks like a link.
fn example() -> &'static str {
    CLAIMS
        .lines()
        .find(|line| line.starts_with("eyJ"))
        .expect("the reference shows a link")
}

#[test]
fn the_link_in_the_reference_is_what_its_claims_and_key_give() {
    let secret = CLAIMS
        .split('`')
        .find(|text| text.starts_with("MDEy"))
        .expect("the reference names the key");
    let keys = Keyring::from_json(&format!(r#"[{{"kid":"docs","secret":"{secret}"}}]"#))
        .expect("a key ring");
    let claims = CLAIMS
        .lines()
        .find(|line| line.starts_with(r#"{ "path""#))
        .expect("the reference shows claims");
    let claims = link::Claims::from_json(claims.as_bytes()).expect("claims");
    assert_eq!(link::mint(keys.minting(), &claims), example());
    assert_eq!(link::verify(example(), &keys, claims.exp, 0), Ok(claims));
}

#[test]
fn the_shipped_configuration_is_valid_and_every_variable_is_documented() {
    for section in ["\n[vars]", "\n[env.staging.vars]"] {
        shipped_variables_are_right(section);
    }
}

/// Variables that no file names, because they are secrets.
const SECRETS: [&str; 2] = ["LECTERN_KEYS", "WEBHOOK_SECRET"];

fn shipped_variables_are_right(section: &str) {
    let shipped = include_str!("../wrangler.toml");
    let vars = shipped.split(section).nth(1).expect("variables");
    let vars = vars.split("\n[").next().expect("its end");
    let shipped: Vec<(&str, &str)> = vars
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, value)| (name, value.trim_matches('"')))
        .collect();
    assert!(shipped.len() >= 6, "{shipped:?}");
    let keys = r#"[{"kid":"k","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#;
    let lookup = |wanted: &str| {
        [("LECTERN_KEYS", keys)]
            .iter()
            .chain(&shipped)
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| (*value).to_owned())
    };
    let mut asked = std::cell::RefCell::new(Vec::new());
    let config = Config::from_lookup(|name| {
        asked.borrow_mut().push(name.to_owned());
        lookup(name)
    })
    .expect("the shipped configuration");
    // The shipped values are the defaults, so that their comments are true.
    let defaults = Config::from_lookup(|name| (name == "LECTERN_KEYS").then(|| keys.to_owned()))
        .expect("the defaults");
    assert_eq!(config.watch_window, defaults.watch_window);
    assert_eq!(config.max_watch, defaults.max_watch);
    assert_eq!(config.max_link_age, defaults.max_link_age);
    assert_eq!(config.max_upload_bytes, defaults.max_upload_bytes);
    assert_eq!(config.max_object_bytes, defaults.max_object_bytes);
    assert_eq!(config.allowed_origins, defaults.allowed_origins);
    assert_eq!(config.watched_seconds, defaults.watched_seconds);
    assert!(config.webhook.is_none());
    for name in asked.get_mut() {
        assert!(
            CONFIGURATION.contains(&format!("| `{name}` |")),
            "docs/reference/configuration.md does not name {name}"
        );
        assert!(
            SECRETS.contains(&name.as_str()) || shipped.iter().any(|(known, _)| known == name),
            "wrangler.toml does not name {name} in {section}"
        );
    }
    for (name, _) in &shipped {
        assert!(
            asked.get_mut().iter().any(|known| known == name),
            "{name} is not read"
        );
    }
}
