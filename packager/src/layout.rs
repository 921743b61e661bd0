//! Names of a package's files and folders. Paths count from the package's root unless a comment says otherwise.

/// The Multivariant Playlist, which is replaced with each revision and written last.
pub(crate) const MULTIVARIANT: &str = "master.m3u8";
/// The DASH manifest, which is replaced just before.
pub(crate) const MPD: &str = "manifest.mpd";
/// The folder of all revisions, with its slash.
pub(crate) const REVISIONS: &str = "v/";

// From a revision's folder.
pub(crate) const PACKAGE_JSON: &str = "package.json";
/// Says until when a revision played at least.
pub(crate) const REPLACED_JSON: &str = "replaced.json";
pub(crate) const IFRAMES_FOLDER: &str = "iframes";
pub(crate) const POSTER_JPG: &str = "poster.jpg";
pub(crate) const STORYBOARD_VTT: &str = "storyboard.vtt";
pub(crate) const STORYBOARD_FOLDER: &str = "storyboard";
pub(crate) const CHAPTERS_VTT: &str = "chapters.vtt";
pub(crate) const CHAPTERS_JSON: &str = "chapters.json";
pub(crate) const DOWNLOAD_MP4: &str = "lecture.mp4";

// From a Rendition's folder.
pub(crate) const MEDIA_PLAYLIST: &str = "playlist.m3u8";
/// The Media Initialization Section.
pub(crate) const INIT: &str = "init.mp4";
pub(crate) const IFRAMES_FILE: &str = "pictures.mp4";
/// All cues in one file: for players of the MPD, and for downloads.
pub(crate) const CAPTIONS_VTT: &str = "captions.vtt";

/// Prefix of a file that is not whole yet.
pub(crate) const TEMPORARY_PREFIX: &str = ".lectern-";

/// Whether a path is the same for every revision, and so replaced: everything below [`REVISIONS`] never changes.
pub(crate) fn is_mutable(path: &str) -> bool {
    matches!(path, MULTIVARIANT | MPD)
}

/// `v/0123456789abcdef`.
pub(crate) fn revision_folder(revision: &str) -> String {
    format!("{REVISIONS}{revision}")
}

/// A path below a revision's folder.
pub(crate) fn in_revision(revision: &str, path: &str) -> String {
    format!("{REVISIONS}{revision}/{path}")
}

pub(crate) fn package_json_path(revision: &str) -> String {
    in_revision(revision, PACKAGE_JSON)
}

/// The Media Playlist of a Rendition's folder.
pub(crate) fn media_playlist(folder: &str) -> String {
    format!("{folder}/{MEDIA_PLAYLIST}")
}

/// The Media Initialization Section of a Rendition's folder.
pub(crate) fn init(folder: &str) -> String {
    format!("{folder}/{INIT}")
}

/// The CMAF segment with this number.
pub(crate) fn segment_name(at: usize) -> String {
    format!("seg{at:05}.m4s")
}

/// The transport stream with this number.
pub(crate) fn ts_segment_name(at: usize) -> String {
    format!("seg{at:05}.ts")
}

/// The segment of subtitles with this number.
pub(crate) fn vtt_segment_name(at: usize) -> String {
    format!("seg{at:05}.vtt")
}
