//! An object of session data.

/// An object of session data.
#[derive(Debug)]
pub(crate) struct SessionObject {
    pub(crate) name: String,
    pub(crate) kind: SessionKind,
    /// Fault in its format.
    pub(crate) fault: Option<String>,
    /// Seconds at which its last cue or chapter starts.
    pub(crate) latest: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionKind {
    Json,
    /// Chapters in Apple's format.
    Chapters,
    /// Silences that viewers may skip.
    Silences,
    Storyboard,
    /// Captions of one language in WebVTT.
    Captions,
    Image,
    /// An object of an unknown kind.
    Raw,
}
