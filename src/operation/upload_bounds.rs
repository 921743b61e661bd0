//! Bounds of an upload link: `max_bytes`, `max_objects` and `types`.

use crate::credential::claims::{Claims, Purpose};
use crate::http::problem::{Problem, Refusal};
use crate::ledger::upload_account::{MIN_CHARGED_BYTES, UploadCharge, account_name};
use crate::object::file_kind::{ENDED, FileKind, check_name, is_end_mark};
use crate::operation::write::{UploadedPart, Write};

/// The bounds of a link, for the shell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UploadBounds {
    /// The ledger that counts, and the charges' limits.
    account: Option<String>,
    limits: (Option<u64>, Option<u64>),
    until: u64,
    types: Option<Vec<FileKind>>,
}

impl UploadBounds {
    /// The bounds of a link under the key `kid`.
    #[must_use]
    pub fn of(claims: &Claims, kid: &str) -> Self {
        if claims.purpose != Purpose::Upload {
            return Self::default();
        }
        let limits = (claims.max_bytes, claims.max_objects);
        let is_counted = limits != (None, None);
        let jti = claims.jti.as_deref().filter(|_| is_counted);
        Self {
            account: jti.map(|jti| account_name(kid, jti)),
            limits,
            until: claims.exp,
            types: claims.types.clone(),
        }
    }

    /// Refuses the name of an object whose kind the link does not take, and bytes in the mark at the
    /// end of a recording: no format bounds them.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self, write: &Write) -> Result<(), Refusal> {
        let unsupported = |reason| Err(Refusal::new(Problem::UnsupportedType, reason));
        let types = match (&self.types, write) {
            (None, _) | (_, Write::Delete { .. } | Write::Abort { .. }) => return Ok(()),
            (Some(types), _) => types,
        };
        if let Err(reason) = check_name(types, write.key()) {
            return unsupported(reason);
        }
        let is_empty = matches!(write, Write::Put { length: 0, .. });
        match is_end_mark(write.key()) && !is_empty {
            true => unsupported(format!(
                "`{ENDED}` takes no bytes: store it empty, by one `PUT`"
            )),
            false => Ok(()),
        }
    }

    /// Refuses a list of parts without the first, whose bytes tell the kind of the file.
    ///
    /// # Errors
    /// In words.
    pub fn check_parts(&self, parts: &[UploadedPart]) -> Result<(), Refusal> {
        let has_first = parts.first().is_some_and(|part| part.part_number == 1);
        match self.types.is_none() || has_first {
            true => Ok(()),
            false => Err(Refusal::new(
                Problem::BadUpload,
                "the list begins with part 1 under a link with `types`: upload that part",
            )),
        }
    }

    /// Returns whether the first bytes of the body must be checked.
    #[must_use]
    pub fn sniffs(&self, write: &Write) -> bool {
        let is_beginning = matches!(write, Write::Put { .. } | Write::Part { number: 1, .. });
        self.types.is_some() && is_beginning && !is_end_mark(write.key())
    }

    /// The account to charge for a write, and the charge. `None` for a write that is free.
    #[must_use]
    pub fn charge(&self, write: &Write) -> Option<(&str, UploadCharge)> {
        let account = self.account.as_deref()?;
        let bytes = match write {
            Write::Put { length, .. } | Write::Part { length, .. } => {
                MIN_CHARGED_BYTES.max(*length)
            }
            Write::Create { .. } => MIN_CHARGED_BYTES,
            // Its parts are counted. If another link began it, the account counts its object.
            Write::Complete { .. } => 0,
            Write::Delete { .. } | Write::Abort { .. } => return None,
        };
        let key = write.key().as_str();
        let charge = UploadCharge::new(key, bytes, self.limits, self.until);
        Some((account, charge))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::precondition::WriteConditions;
    use crate::object::key::ObjectKey;

    fn bounds(claims: &str) -> UploadBounds {
        let json = format!(r#"{{"path":"/a/","exp":9,"use":"upload"{claims}}}"#);
        UploadBounds::of(&Claims::from_json(json.as_bytes()).expect("claims"), "k")
    }

    fn writes(name: &str) -> [Write; 6] {
        let key = || ObjectKey::new(name).expect("a key");
        let conditions = WriteConditions::default();
        let upload = || "u".to_owned();
        [
            Write::Put {
                key: key(),
                content_type: String::new(),
                conditions: conditions.clone(),
                length: 100_000,
            },
            Write::Delete {
                key: key(),
                conditions: conditions.clone(),
            },
            Write::Create {
                key: key(),
                content_type: String::new(),
            },
            Write::Part {
                key: key(),
                upload: upload(),
                number: 1,
                length: 7,
            },
            Write::Complete {
                key: key(),
                upload: upload(),
                conditions,
                length: 50,
            },
            Write::Abort {
                key: key(),
                upload: upload(),
            },
        ]
    }

    #[test]
    fn each_write_counts_its_bytes_and_64_kib_at_least() {
        let counted = bounds(r#","jti":"l","max_bytes":1,"max_objects":2"#);
        let bytes = |write: &Write| counted.charge(write).map(|(_, charge)| charge.bytes);
        let found: Vec<_> = writes("a/b.mp4").iter().map(bytes).collect();
        let least = Some(65_536);
        let expected = [Some(100_000), None, least, least, Some(0), None];
        assert_eq!(found, expected);
        let free = bounds(r#","jti":"l","types":["video"]"#);
        assert!(
            writes("a/b.mp4")
                .iter()
                .all(|write| free.charge(write).is_none())
        );
    }

    #[test]
    fn a_link_with_types_checks_names_and_first_bytes() {
        let limited = bounds(r#","types":["video","hls"]"#);
        for (name, expected) in [
            ("a/b.html", [false, true, false, false, false, true]),
            ("a/b.mp4", [true; 6]),
            ("a/ended", [false, true, false, false, false, true]),
        ] {
            let checked = writes(name).map(|write| limited.check(&write).is_ok());
            assert_eq!(checked, expected, "{name}");
        }
        let empty = Write::Put {
            key: ObjectKey::new("a/ended").expect("a key"),
            content_type: String::new(),
            conditions: WriteConditions::default(),
            length: 0,
        };
        assert!(limited.check(&empty).is_ok());
        let [full, ..] = writes("a/ended");
        assert!(bounds("").check(&full).is_ok());
        let sniffs = |name| writes(name).map(|write| limited.sniffs(&write));
        assert_eq!(sniffs("a/b.mp4"), [true, false, false, true, false, false]);
        assert_eq!(sniffs("a/ended"), [false; 6]);
        let part = |part_number| UploadedPart {
            part_number,
            etag: "e".to_owned(),
        };
        assert!(limited.check_parts(&[part(1), part(2)]).is_ok());
        assert!(limited.check_parts(&[part(2)]).is_err());
        assert!(bounds("").check_parts(&[part(2)]).is_ok());
    }
}
