//! An object of session data.

/// An object of session data.
#[derive(Debug)]
pub(crate) struct SessionObject {
    pub(crate) name: String,
    pub(crate) kind: SessionKind,
    /// Fault in its format.
    pub(crate) fault: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionKind {
    Json,
    Storyboard,
    /// An object of an unknown kind.
    Raw,
}
