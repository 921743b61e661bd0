//! The answer to `/_lectern/health`. It shows the operator that a deploy or a key rotation has
//! arrived, and no secret.

use serde::Serialize;

use super::read::Headers;
use crate::credential::keyring::{Key, Keyring};
use crate::json::written;

/// The build, if it was set at compile time.
const BUILD: &str = match option_env!("LECTERN_BUILD") {
    Some(build) => build,
    None => "unknown",
};

#[derive(Debug)]
pub struct Health<'config> {
    keys: &'config Keyring,
    bucket: bool,
}

impl<'config> Health<'config> {
    #[must_use]
    pub fn new(keys: &'config Keyring, bucket: bool) -> Self {
        Self { keys, bucket }
    }

    #[must_use]
    pub fn status(&self) -> u16 {
        if self.bucket { 200 } else { 503 }
    }

    /// `{"version":"0.1.0","build":"…","keys":["2026-11"],"bucket":true}`; the first key mints.
    #[must_use]
    pub fn body(&self) -> String {
        #[derive(Serialize)]
        struct HealthBody<'config> {
            version: &'static str,
            build: &'static str,
            keys: Vec<&'config str>,
            bucket: bool,
        }
        written(&HealthBody {
            version: env!("CARGO_PKG_VERSION"),
            build: BUILD,
            keys: self.keys.iter().map(Key::kid).collect(),
            bucket: self.bucket,
        })
    }

    #[must_use]
    pub fn headers() -> Headers {
        vec![
            ("Content-Type", "application/json".to_owned()),
            ("Cache-Control", "no-store".to_owned()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::keyring::testing::ring;

    #[test]
    fn the_operator_sees_version_keys_and_bucket() {
        let keys = ring(&["2026-11", "2026-05"]);
        let body = Health::new(&keys, false).body();
        let json: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(json["keys"], serde_json::json!(["2026-11", "2026-05"]));
        assert_eq!(json["bucket"], false);
        assert!(json["build"].is_string());
        assert_eq!(Health::new(&keys, false).status(), 503);
        assert_eq!(Health::new(&keys, true).status(), 200);
    }
}
