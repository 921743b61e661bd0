//! Names of a package's files and folders. Paths count from the package's root unless a comment
//! says otherwise.

/// The Multivariant Playlist, which each publish replaces last.
pub(crate) const MULTIVARIANT: &str = "master.m3u8";
/// The DASH manifest, which each publish replaces just before.
pub(crate) const MPD: &str = "manifest.mpd";
/// The folder of all revisions, with its slash.
pub(crate) const REVISIONS: &str = "v/";

/// Playlist of a live recording whose parts lie beside `master.m3u8`, which the package replaced.
pub(crate) const RECORDED: &str = "recorded.m3u8";
/// How far the packaging of a recording in parts is.
pub(crate) const STATUS_JSON: &str = "status.json";
/// End of the name of an upload's status, behind the name of the upload.
pub(crate) const STATUS_SUFFIX: &str = ".status.json";

// From a revision's folder.
pub(crate) const PACKAGE_JSON: &str = "package.json";
/// Earliest end of the time in which viewers may still play a revision.
pub(crate) const REPLACED_JSON: &str = "replaced.json";
/// The lecture that a provisional revision replaced. It plays again if the run ends early.
pub(crate) const PROVISIONAL_JSON: &str = "provisional.json";
pub(crate) const IFRAMES_FOLDER: &str = "iframes";
pub(crate) const POSTER_JPG: &str = "poster.jpg";
pub(crate) const STORYBOARD_VTT: &str = "storyboard.vtt";
pub(crate) const STORYBOARD_FOLDER: &str = "storyboard";
pub(crate) const CHAPTERS_VTT: &str = "chapters.vtt";
pub(crate) const CHAPTERS_JSON: &str = "chapters.json";
/// Seconds that viewers may skip.
pub(crate) const SILENCES_JSON: &str = "silences.json";
pub(crate) const DOWNLOAD_MP4: &str = "lecture.mp4";

// From a Rendition's folder.
pub(crate) const MEDIA_PLAYLIST: &str = "playlist.m3u8";
/// The Media Initialization Section.
pub(crate) const INIT: &str = "init.mp4";
pub(crate) const IFRAMES_FILE: &str = "pictures.mp4";
/// All cues in one file, for DASH players and downloads.
pub(crate) const CAPTIONS_VTT: &str = "captions.vtt";

/// Prefix of an incomplete file.
pub(crate) const TEMPORARY_PREFIX: &str = ".lectern-";

/// Distinguishes objects that each publish replaces from those below [`REVISIONS`], which never
/// change.
pub(crate) fn is_mutable(path: &str) -> bool {
    matches!(path, MULTIVARIANT | MPD)
}

/// Distinguishes a package's objects from others in the lecture's folder.
pub(crate) fn is_in_package(path: &str) -> bool {
    is_mutable(path) || path.starts_with(REVISIONS)
}

/// Distinguishes notes beside a lecture or an upload, which `lectern` rewrites.
pub(crate) fn is_note(path: &str) -> bool {
    matches!(path, RECORDED | STATUS_JSON) || path.ends_with(STATUS_SUFFIX)
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

/// Name of a CMAF segment.
pub(crate) fn segment_name(at: usize) -> String {
    format!("seg{at:05}.m4s")
}

/// Name of a transport stream.
pub(crate) fn ts_segment_name(at: usize) -> String {
    format!("seg{at:05}.ts")
}

/// Name of a subtitle segment.
pub(crate) fn vtt_segment_name(at: usize) -> String {
    format!("seg{at:05}.vtt")
}
