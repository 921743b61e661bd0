//! `Accept-Encoding` (RFC 9110 §12.5.3): whether a client accepts gzip.

/// Returns whether gzip is accepted explicitly. A client that names no encoding, or only `*`, gets
/// the stored bytes.
///
/// ```text
/// Accept-Encoding: gzip, deflate, br      gzip;q=0.5      identity;q=1, gzip;q=0
/// ```
#[must_use]
pub fn accepts_gzip(header: &str) -> bool {
    header.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let is_gzip = name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip");
        is_gzip && parts.all(|parameter| !is_zero(parameter))
    })
}

/// Returns whether a weight is zero, which means not acceptable (§12.4.2): `q=0`, `q=0.000`.
fn is_zero(parameter: &str) -> bool {
    let Some((name, weight)) = parameter.split_once('=') else {
        return false;
    };
    name.trim().eq_ignore_ascii_case("q")
        && weight.trim().starts_with('0')
        && weight
            .trim()
            .bytes()
            .all(|byte| matches!(byte, b'0' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_accepted_only_explicitly() {
        for (header, expected) in [
            ("gzip", true),
            ("GZIP", true),
            ("x-gzip", true),
            ("deflate, gzip;q=1.0, *;q=0.5", true),
            ("br;q=1, gzip ; q=0.001", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("gzip;Q=0.0, br", false),
            ("identity", false),
            ("*", false),
            ("", false),
            ("gzipped", false),
            ("br, deflate", false),
        ] {
            assert_eq!(accepts_gzip(header), expected, "{header}");
        }
    }
}
