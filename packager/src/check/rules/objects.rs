//! Rules for objects and their names.

use super::super::facts::{MOST_PLAYLISTS, is_plain};
use super::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "OB-01",
        title: "every listed object is readable",
        source: "RFC 8216bis §6.2.1",
        advice: "upload the object, or remove it from the playlist",
        check: |facts, findings| {
            findings.has_looked = true;
            for (name, why) in &facts.unread {
                findings.expect(false, || (name.clone(), why.clone()));
            }
            if facts.surplus > 0 {
                let why = format!(
                    "{} playlists beyond the first {MOST_PLAYLISTS} were not read",
                    facts.surplus
                );
                findings.unjudged(&facts.name, &why);
            }
        },
    },
    Rule {
        id: "OB-02",
        title: "every URI stays below the Multivariant Playlist's folder",
        source: "Lectern: a link to a folder opens only its contents",
        advice: "use relative URIs that do not leave the folder by `..`",
        check: |facts, findings| {
            for (playlist, uri, is_below) in &facts.uris {
                findings.expect(*is_below, || {
                    (playlist.clone(), format!("`{uri}` leads out"))
                });
            }
        },
    },
    Rule {
        id: "OB-03",
        title: "names are letters, digits and `-._~@+`",
        source: "RFC 3986 §2.3; Lectern: the edge refuses ambiguous names",
        advice: "rename the object, and update the playlist",
        check: |facts, findings| {
            for (playlist, uri, _) in &facts.uris {
                // One plain name stands for all.
                let is_right = uri.is_empty() || is_plain(uri);
                findings.expect(is_right, || {
                    (playlist.clone(), format!("`{uri}` is not plain"))
                });
            }
        },
    },
    Rule {
        id: "OB-04",
        title: "`package.json` lists every object with its size and SHA-256",
        source: "Lectern: DESIGN.md, Packages",
        advice: "publish the complete package again, or package the recording again",
        check: |facts, findings| {
            let Some(listed) = &facts.listed else { return };
            findings.has_looked = true;
            for (name, why) in &listed.objects {
                findings.expect(false, || (name.clone(), why.clone()));
            }
        },
    },
    Rule {
        id: "OB-05",
        title: "`manifest.mpd` is a well-formed MPD",
        source: "ISO/IEC 23009-1; XML 1.0 §2.1",
        advice: "write the manifest again",
        check: |facts, findings| {
            let Some(manifest) = &facts.manifest else {
                return;
            };
            findings.expect(manifest.fault.is_none(), || {
                (
                    manifest.name.clone(),
                    manifest.fault.clone().unwrap_or_default(),
                )
            });
        },
    },
    Rule {
        id: "OB-06",
        title: "`manifest.mpd` lists the same segments as the playlists",
        source: "Lectern: one set of CMAF segments (ISO/IEC 23000-19) for HLS and DASH",
        advice: "write the manifest from the same list as the playlists",
        check: |facts, findings| {
            let Some(manifest) = &facts.manifest else {
                return;
            };
            let Some(differs) = &manifest.differs else {
                return;
            };
            findings.has_looked = true;
            for what in differs {
                findings.expect(false, || (manifest.name.clone(), what.clone()));
            }
        },
    },
    Rule {
        id: "OB-07",
        title: "`manifest.mpd` states times, codecs, sizes and rates as they are",
        source: "ISO/IEC 23009-1 §5.3.5, §5.3.9",
        advice: "write the manifest again, from the measured Renditions",
        check: |facts, findings| {
            let Some(manifest) = facts.manifest.as_ref().filter(|one| one.fault.is_none()) else {
                return;
            };
            findings.has_looked = true;
            for what in &manifest.contradictions {
                findings.expect(false, || (manifest.name.clone(), what.clone()));
            }
        },
    },
    Rule {
        id: "OB-08",
        title: "`package.json` states revision, durations, sizes and codecs as they are",
        source: "Lectern: docs/reference/package.md",
        advice: "package the recording again",
        check: |facts, findings| {
            let Some(listed) = &facts.listed else { return };
            findings.has_looked = true;
            for (name, why) in &listed.statements {
                findings.expect(false, || (name.clone(), why.clone()));
            }
        },
    },
    Rule {
        id: "OB-09",
        title: "`lecture.mp4` is complete, and lasts as long as the lecture",
        source: "ISO/IEC 14496-12 §4.2; Lectern: docs/reference/package.md",
        advice: "write the download again",
        check: |facts, findings| {
            let Some(download) = &facts.download else {
                return;
            };
            findings.expect(download.fault.is_none(), || {
                (
                    download.name.clone(),
                    download.fault.clone().unwrap_or_default(),
                )
            });
        },
    },
];
