//! Bucket credentials from the environment, else from the file of other S3 tools. A command line
//! would reveal them to all users of the machine.

use std::path::PathBuf;

use super::error::StorageError;

/// Never shown or logged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) key_id: String,
    pub(crate) secret: String,
    pub(crate) session: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// An environment variable, unless it is empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(crate) fn credentials(scheme: &'static str) -> Result<Credentials, StorageError> {
    if let (Some(key_id), Some(secret)) = (
        variable("AWS_ACCESS_KEY_ID"),
        variable("AWS_SECRET_ACCESS_KEY"),
    ) {
        return Ok(Credentials {
            key_id,
            secret,
            session: variable("AWS_SESSION_TOKEN"),
        });
    }
    let none = || StorageError::NoCredentials(scheme);
    let path = variable("AWS_SHARED_CREDENTIALS_FILE")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".aws/credentials")))
        .ok_or_else(none)?;
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(none()),
        Err(source) => return Err(StorageError::Read { path, source }),
    };
    let profile = variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    in_file(&text, &profile).map_err(|why| StorageError::BadCredentials { path, why })
}

/// Reads a section of an INI file.
fn in_file(text: &str, profile: &str) -> Result<Credentials, String> {
    let mut section = "";
    let mut has_section = false;
    let [mut key_id, mut secret, mut session] = [None, None, None];
    for line in text.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name.trim();
            has_section |= section == profile;
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| section == profile) else {
            continue;
        };
        let value = Some(value.trim().to_owned());
        match name.trim().to_ascii_lowercase().as_str() {
            "aws_access_key_id" => key_id = value,
            "aws_secret_access_key" => secret = value,
            "aws_session_token" => session = value,
            _ => {}
        }
    }
    match (key_id, secret) {
        (Some(key_id), Some(secret)) => Ok(Credentials {
            key_id,
            secret,
            session,
        }),
        _ if has_section => Err(format!("`[{profile}]` has no key")),
        _ => Err(format!("there is no `[{profile}]`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_a_section_of_the_file() {
        const FILE: &str = "; mine\n[default]\naws_access_key_id = A\naws_secret_access_key=s=1\n\n[ r2 ]\nAWS_ACCESS_KEY_ID=B\n\
            aws_secret_access_key = t\naws_session_token = u\nregion = auto\n[half]\naws_access_key_id = C\n";
        let found = |profile| {
            let found = in_file(FILE, profile)?;
            Ok([
                found.key_id,
                found.secret,
                found.session.unwrap_or_default(),
            ]
            .join(" "))
        };
        for (profile, expected) in [
            ("default", Ok("A s=1 ")),
            ("r2", Ok("B t u")),
            ("half", Err("`[half]` has no key")),
            ("none", Err("there is no `[none]`")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(found(profile), expected, "{profile}");
        }
        let shown = format!("{:?}", in_file(FILE, "default"));
        assert_eq!(shown, "Ok(Credentials(..))");
    }
}
