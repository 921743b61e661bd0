//! Conditional requests (RFC 9110 §13): validators, and the order of evaluation (§13.2.2).

use super::date::parse_date;

/// An entity-tag (§8.8.3), parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag {
    weak: bool,
    opaque: String,
}

impl EntityTag {
    /// A strong entity-tag with the opaque tag `opaque`, which has no quotes.
    #[must_use]
    pub fn strong(opaque: &str) -> Self {
        Self {
            weak: false,
            opaque: opaque.to_owned(),
        }
    }

    /// Strong comparison (§8.8.3.2): equal, and neither is weak.
    #[must_use]
    pub fn matches_strongly(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Weak comparison (§8.8.3.2): equal, weak or not.
    #[must_use]
    pub fn matches_weakly(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }

    /// The opaque tag, without quotes.
    #[must_use]
    pub fn opaque(&self) -> &str {
        &self.opaque
    }

    /// The header's value.
    #[must_use]
    pub fn header(&self) -> String {
        let weak = if self.weak { "W/" } else { "" };
        format!("{weak}\"{}\"", self.opaque)
    }

    /// Parses one tag at the start of `text` and returns the rest.
    fn parse_prefix(text: &str) -> Option<(Self, &str)> {
        let (weak, quoted) = match text.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (opaque, rest) = quoted.strip_prefix('"')?.split_once('"')?;
        // etagc = %x21 / %x23-7E / obs-text: no space and no control character.
        if opaque.bytes().any(|byte| byte <= b' ' || byte == 0x7F) {
            return None;
        }
        let opaque = opaque.to_owned();
        Some((Self { weak, opaque }, rest))
    }
}

/// `If-Match` and `If-None-Match`: any representation, or a list of tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntityTags {
    Any,
    List(Vec<EntityTag>),
}

impl EntityTags {
    /// Parses the header tag by tag, because tags may contain commas. Returns `None` if it is not a
    /// list.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        if header.trim() == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        let mut rest = header;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return (!tags.is_empty()).then_some(Self::List(tags));
            }
            let (tag, after) = EntityTag::parse_prefix(rest)?;
            tags.push(tag);
            rest = after.trim_start_matches([' ', '\t']);
            if !rest.is_empty() && !rest.starts_with(',') {
                return None;
            }
        }
    }

    fn any(&self, matches: impl Fn(&EntityTag) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => tags.iter().any(matches),
        }
    }
}

/// `If-Range` (§13.1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfRange {
    Tag(EntityTag),
    Date(u64),
    /// Not a validator: the condition is false, and the whole representation is sent.
    Invalid,
}

impl IfRange {
    #[must_use]
    pub fn parse(header: &str, now: u64) -> Self {
        let header = header.trim();
        match EntityTag::parse_prefix(header) {
            Some((tag, "")) => Self::Tag(tag),
            _ => parse_date(header, now).map_or(Self::Invalid, Self::Date),
        }
    }

    fn holds(&self, validators: &Validators) -> bool {
        match self {
            Self::Tag(tag) => tag.matches_strongly(&validators.etag),
            // §13.1.5 requires an exact match. R2's upload time is a strong validator only to the
            // second.
            Self::Date(date) => Some(*date) == validators.last_modified,
            Self::Invalid => false,
        }
    }
}

/// The validators of a stored representation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validators {
    pub etag: EntityTag,
    /// Seconds since 1970. `None` if dates do not validate the representation.
    pub last_modified: Option<u64>,
}

/// The conditions of a request's headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    pub if_match: Option<EntityTags>,
    pub if_unmodified_since: Option<u64>,
    pub if_none_match: Option<EntityTags>,
    pub if_modified_since: Option<u64>,
    pub if_range: Option<IfRange>,
}

/// The result of the conditions of a `GET` or `HEAD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Sends the representation. `Range` applies only if `allows_range` is true.
    Proceed { allows_range: bool },
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

impl Conditions {
    /// Parses the headers of a request at `now`. An invalid date is ignored (§13.1.3, §13.1.4). An
    /// invalid list of tags counts as an empty list: it matches nothing, and still overrides the
    /// date.
    #[must_use]
    pub fn parse(header: impl Fn(&str) -> Option<String>, now: u64) -> Self {
        let tags = |name| {
            let value = header(name)?;
            Some(EntityTags::parse(&value).unwrap_or(EntityTags::List(Vec::new())))
        };
        let date = |name| parse_date(&header(name)?, now);
        Self {
            if_match: tags("if-match"),
            if_unmodified_since: date("if-unmodified-since"),
            if_none_match: tags("if-none-match"),
            if_modified_since: date("if-modified-since"),
            if_range: header("if-range").map(|value| IfRange::parse(&value, now)),
        }
    }

    /// Evaluates the conditions of a `GET` or `HEAD` in the order of §13.2.2:
    ///
    /// 1. `If-Match`, else 2. `If-Unmodified-Since`: 412 when false;
    /// 3. `If-None-Match`, else 4. `If-Modified-Since`: 304 when false;
    /// 5. `If-Range`: decides whether `Range` applies.
    #[must_use]
    pub fn evaluate(&self, validators: &Validators) -> Verdict {
        let holds = match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) => tags.any(|tag| tag.matches_strongly(&validators.etag)),
            (None, Some(date)) => validators.last_modified.is_none_or(|at| at <= date),
            (None, None) => true,
        };
        if !holds {
            return Verdict::Failed;
        }
        let modified = match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) => !tags.any(|tag| tag.matches_weakly(&validators.etag)),
            (None, Some(date)) => validators.last_modified.is_none_or(|at| at > date),
            (None, None) => true,
        };
        if !modified {
            return Verdict::NotModified;
        }
        Verdict::Proceed {
            allows_range: self
                .if_range
                .as_ref()
                .is_none_or(|condition| condition.holds(validators)),
        }
    }
}

/// The conditions of a write's headers (§13.1). `If-Modified-Since` and `If-Range` apply only to
/// `GET` and `HEAD` (§13.1.3, §14.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteConditions {
    if_match: Option<EntityTags>,
    if_unmodified_since: Option<u64>,
    if_none_match: Option<EntityTags>,
}

impl WriteConditions {
    /// Parses the headers of a write at `now`. A `GET` may ignore an unreadable condition. A write
    /// must refuse it, or it would replace what the client meant to protect.
    ///
    /// # Errors
    /// The name of the unreadable header.
    pub fn parse(header: impl Fn(&str) -> Option<String>, now: u64) -> Result<Self, &'static str> {
        fn read<T>(
            name: &'static str,
            value: Option<String>,
            parse: impl Fn(&str) -> Option<T>,
        ) -> Result<Option<T>, &'static str> {
            value.map(|value| parse(&value).ok_or(name)).transpose()
        }
        Ok(Self {
            if_match: read("If-Match", header("if-match"), EntityTags::parse)?,
            if_unmodified_since: read(
                "If-Unmodified-Since",
                header("if-unmodified-since"),
                |value| parse_date(value, now),
            )?,
            if_none_match: read("If-None-Match", header("if-none-match"), EntityTags::parse)?,
        })
    }

    /// Returns whether the request has no condition, so that the stored object need not be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Evaluates the conditions in the order of §13.2.2; a false one makes the answer 412. `stored`
    /// is `None` if there is no object.
    ///
    /// 1. `If-Match`, else 2. `If-Unmodified-Since`, ignored if there is no date (§13.1.4);
    /// 3. `If-None-Match`.
    #[must_use]
    pub fn hold(&self, stored: Option<&Validators>) -> bool {
        let is_expected = match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) => {
                stored.is_some_and(|stored| tags.any(|tag| tag.matches_strongly(&stored.etag)))
            }
            (None, Some(date)) => stored
                .and_then(|stored| stored.last_modified)
                .is_none_or(|at| at <= date),
            (None, None) => true,
        };
        let is_known = |tags: &EntityTags| {
            stored.is_some_and(|stored| tags.any(|tag| tag.matches_weakly(&stored.etag)))
        };
        is_expected && !self.if_none_match.as_ref().is_some_and(is_known)
    }
}

#[cfg(test)]
mod tests {
    use super::super::date::format_date;
    use super::*;

    const MODIFIED: u64 = 784_111_777;

    fn validators() -> Validators {
        Validators {
            etag: EntityTag::strong("a"),
            last_modified: Some(MODIFIED),
        }
    }

    #[test]
    fn lists_of_entity_tags_are_read_tag_by_tag() {
        for (header, expected) in [
            ("*", Some(vec!["*"])),
            (r#""a""#, Some(vec![r#""a""#])),
            (r#"W/"a""#, Some(vec![r#"W/"a""#])),
            (r#""a,b" ,, W/"c""#, Some(vec![r#""a,b""#, r#"W/"c""#])),
            (r#""""#, Some(vec![r#""""#])),
            ("", None),
            ("a", None),
            (r#"w/"a""#, None),
            (r#""a" "b""#, None),
            (r#""a"#, None),
            (r#""a", *"#, None),
        ] {
            let found = EntityTags::parse(header).map(|tags| match tags {
                EntityTags::Any => vec!["*".to_owned()],
                EntityTags::List(tags) => tags.iter().map(EntityTag::header).collect(),
            });
            let expected =
                expected.map(|tags| tags.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(found, expected, "{header}");
        }
    }

    #[test]
    fn dates_do_not_validate_a_representation_without_one() {
        let dateless = Validators {
            last_modified: None,
            ..validators()
        };
        let date = format_date(MODIFIED);
        for (name, value, expected) in [
            ("if-modified-since", date.as_str(), true),
            ("if-unmodified-since", &date, true),
            ("if-range", &date, false),
            ("if-range", r#""a""#, true),
        ] {
            let header = |known: &str| (known == name).then(|| value.to_owned());
            let found = Conditions::parse(header, MODIFIED + 1).evaluate(&dateless);
            let allows_range = expected;
            assert_eq!(found, Verdict::Proceed { allows_range }, "{name}: {value}");
        }
        let none_match = |known: &str| (known == "if-none-match").then(|| r#""a""#.to_owned());
        let found = Conditions::parse(none_match, MODIFIED + 1).evaluate(&dateless);
        assert_eq!(found, Verdict::NotModified);
    }

    #[test]
    fn conditions_are_looked_at_in_the_order_of_rfc_9110() {
        const PROCEED: Verdict = Verdict::Proceed { allows_range: true };
        const WHOLE: Verdict = Verdict::Proceed {
            allows_range: false,
        };
        let before = format_date(MODIFIED - 1);
        let same = format_date(MODIFIED);
        let after = format_date(MODIFIED + 1);
        for (headers, expected) in [
            (vec![], PROCEED),
            (vec![("if-match", r#""a""#)], PROCEED),
            (vec![("if-match", "*")], PROCEED),
            (vec![("if-match", r#"W/"a""#)], Verdict::Failed),
            (vec![("if-match", r#""b""#)], Verdict::Failed),
            (vec![("if-unmodified-since", &same)], PROCEED),
            (vec![("if-unmodified-since", &before)], Verdict::Failed),
            (
                vec![("if-match", r#""a""#), ("if-unmodified-since", &before)],
                PROCEED,
            ),
            (vec![("if-none-match", r#""a""#)], Verdict::NotModified),
            (vec![("if-none-match", r#"W/"a""#)], Verdict::NotModified),
            (
                vec![("if-none-match", r#""b", W/"a""#)],
                Verdict::NotModified,
            ),
            (vec![("if-none-match", "*")], Verdict::NotModified),
            (vec![("if-none-match", r#""b""#)], PROCEED),
            (vec![("if-modified-since", &same)], Verdict::NotModified),
            (vec![("if-modified-since", &after)], Verdict::NotModified),
            (vec![("if-modified-since", &before)], PROCEED),
            (
                vec![("if-none-match", r#""b""#), ("if-modified-since", &after)],
                PROCEED,
            ),
            (
                vec![("if-match", r#""b""#), ("if-none-match", r#""a""#)],
                Verdict::Failed,
            ),
            // An invalid list of tags matches nothing, and still overrides the date.
            (
                vec![("if-match", "a"), ("if-unmodified-since", &same)],
                Verdict::Failed,
            ),
            (
                vec![("if-none-match", "a"), ("if-modified-since", &same)],
                PROCEED,
            ),
            (vec![("if-range", r#""a""#)], PROCEED),
            (vec![("if-range", r#"W/"a""#)], WHOLE),
            (vec![("if-range", r#""b""#)], WHOLE),
            (vec![("if-range", &same)], PROCEED),
            (vec![("if-range", &after)], WHOLE),
            (vec![("if-range", "nonsense")], WHOLE),
        ] {
            let header = |name: &str| {
                headers
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            let conditions = Conditions::parse(header, MODIFIED);
            assert_eq!(conditions.evaluate(&validators()), expected, "{headers:?}");
        }
    }

    #[test]
    fn conditions_of_a_write_are_looked_at_in_the_order_of_rfc_9110() {
        let before = format_date(MODIFIED - 1);
        let same = format_date(MODIFIED);
        // Each row: the result for a stored object, and for none.
        for (headers, expected) in [
            (vec![], Ok([true, true])),
            (vec![("if-match", r#""a""#)], Ok([true, false])),
            (vec![("if-match", r#""b", "a""#)], Ok([true, false])),
            (vec![("if-match", r#""b""#)], Ok([false, false])),
            (vec![("if-match", r#"W/"a""#)], Ok([false, false])),
            (vec![("if-match", "*")], Ok([true, false])),
            (vec![("if-unmodified-since", &*same)], Ok([true, true])),
            (vec![("if-unmodified-since", &before)], Ok([false, true])),
            (
                vec![("if-match", r#""a""#), ("if-unmodified-since", &before)],
                Ok([true, false]),
            ),
            (
                vec![("if-match", r#""b""#), ("if-unmodified-since", &same)],
                Ok([false, false]),
            ),
            (vec![("if-none-match", "*")], Ok([false, true])),
            (vec![("if-none-match", r#""a""#)], Ok([false, true])),
            (vec![("if-none-match", r#"W/"a""#)], Ok([false, true])),
            (vec![("if-none-match", r#""b", "c""#)], Ok([true, true])),
            (
                vec![("if-match", r#""a""#), ("if-none-match", r#""a""#)],
                Ok([false, false]),
            ),
            (
                vec![("if-match", r#""a""#), ("if-none-match", r#""b""#)],
                Ok([true, false]),
            ),
            (
                vec![("if-unmodified-since", &same), ("if-none-match", "*")],
                Ok([false, true]),
            ),
            // A write ignores these.
            (vec![("if-modified-since", &same)], Ok([true, true])),
            (vec![("if-range", r#""b""#)], Ok([true, true])),
            (vec![("if-match", "a")], Err("If-Match")),
            (vec![("if-match", "")], Err("If-Match")),
            (vec![("if-none-match", r#"w/"a""#)], Err("If-None-Match")),
            (
                vec![("if-unmodified-since", "yesterday")],
                Err("If-Unmodified-Since"),
            ),
        ] {
            let header = |name: &str| {
                let mut headers = headers.iter();
                headers
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            let conditions = WriteConditions::parse(header, MODIFIED);
            let found = conditions
                .map(|conditions| [conditions.hold(Some(&validators())), conditions.hold(None)]);
            assert_eq!(found, expected, "{headers:?}");
        }
    }
}
