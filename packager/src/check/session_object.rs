//! What session data name.

/// What session data name.
#[derive(Debug)]
pub(crate) struct SessionObject {
    pub(crate) name: String,
    pub(crate) kind: SessionKind,
    /// Why it is none of its kind.
    pub(crate) fault: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionKind {
    Json,
    Storyboard,
    /// Bytes of which nothing is known.
    Raw,
}
