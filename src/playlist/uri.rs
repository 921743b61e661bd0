//! The parts of a URI reference, and where a pass goes among them.

/// The query parameter that carries a pass.
const PASS_PARAMETER: &str = "p";

/// A URI's path (scheme and authority included) and query.
pub(super) struct Parts<'uri> {
    pub(super) path: &'uri str,
    query: Option<&'uri str>,
    /// Bytes before the fragment.
    pub(super) path_and_query: usize,
}

impl<'uri> Parts<'uri> {
    pub(super) fn of(uri: &'uri str) -> Self {
        let before_fragment = uri.split_once('#').map_or(uri, |(before, _)| before);
        let (path, query) = match before_fragment.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (before_fragment, None),
        };
        Self {
            path,
            query,
            path_and_query: before_fragment.len(),
        }
    }

    /// The parts of what is only a path.
    pub(super) fn plain(path: &'uri str) -> Self {
        Self {
            path,
            query: None,
            path_and_query: path.len(),
        }
    }

    /// Writes the query, without a pass that is in it already, up to where the new pass goes.
    pub(super) fn write_query(&self, out: &mut Vec<u8>) {
        if self.query.is_none() {
            return out.extend_from_slice(b"?p=");
        }
        let mut separator = b'?';
        for parameter in self.query.into_iter().flat_map(|query| query.split('&')) {
            let name = parameter.split('=').next().unwrap_or(parameter);
            if name == PASS_PARAMETER {
                continue;
            }
            out.push(separator);
            out.extend_from_slice(parameter.as_bytes());
            separator = b'&';
        }
        out.push(separator);
        out.extend_from_slice(PASS_PARAMETER.as_bytes());
        out.push(b'=');
    }
}
