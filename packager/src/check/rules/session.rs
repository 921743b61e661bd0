//! Rules for session data.

use super::super::facts::PackageFacts;
use super::super::playlist::{TagEntry, shown};
use super::{Findings, Rule};
use crate::check::rendition::CheckedRendition;
use crate::check::session_object::SessionKind;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "SD-01",
        title: "session data have a DATA-ID, and a VALUE or a URI",
        source: "RFC 8216bis §4.4.6.4",
        advice: "add the missing attribute, or split the tag in two",
        check: |facts, findings| {
            for data in listed(facts) {
                let has = |name| data.get(name).is_some();
                let is_right = has("DATA-ID") && has("VALUE") != has("URI");
                findings.expect(is_right, || {
                    let what = match (has("DATA-ID"), has("VALUE")) {
                        (false, _) => "`DATA-ID` is missing",
                        (_, false) => "it has neither `VALUE` nor `URI`",
                        (_, true) => "it has `VALUE` and `URI`",
                    };
                    (called(facts, data), what.to_owned())
                });
            }
        },
    },
    Rule {
        id: "SD-02",
        title: "session data have unique pairs of DATA-ID and LANGUAGE",
        source: "RFC 8216bis §4.4.6.4",
        advice: "drop one, or add a LANGUAGE to each",
        check: |facts, findings| {
            let key = |data: &TagEntry| {
                let of = |name| data.get(name).unwrap_or_default().to_owned();
                (of("DATA-ID"), of("LANGUAGE"))
            };
            let all = listed(facts);
            for (at, data) in all.iter().enumerate() {
                let is_first = all[..at].iter().all(|before| key(before) != key(data));
                findings.expect(is_first, || {
                    (called(facts, data), "it is there twice".to_owned())
                });
            }
        },
    },
    Rule {
        id: "SD-03",
        title: "objects of session data are JSON, unless FORMAT is RAW",
        source: "RFC 8216bis §4.4.6.4",
        advice: "write JSON, or add `FORMAT=RAW`",
        check: |facts, findings| {
            each(facts, findings, SessionKind::Json);
            each(facts, findings, SessionKind::Chapters);
        },
    },
    Rule {
        id: "SD-04",
        title: "every cue of a storyboard names an image",
        source: "WebVTT §4.1; Media Fragments URI 1.0 §4.2.2",
        advice: "write `sprite.jpg#xywh=0,0,160,90` below each cue's times",
        check: |facts, findings| each(facts, findings, SessionKind::Storyboard),
    },
    Rule {
        id: "SD-05",
        title: "images are complete, and hold the regions that a storyboard shows",
        source: "ITU-T T.81; W3C PNG; Media Fragments URI 1.0 §4.2.2",
        advice: "write the image again as JPEG, PNG or WebP",
        check: |facts, findings| each(facts, findings, SessionKind::Image),
    },
    Rule {
        id: "SD-06",
        title: "chapters, silences and storyboards start within the lecture",
        source: "Lectern: a player offers nothing behind the end",
        advice: "drop what starts after the end, or correct its time",
        check: |facts, findings| {
            let av = facts
                .renditions
                .iter()
                .filter(|one| one.has_video() || one.has_audio_only());
            let seconds = av.map(CheckedRendition::seconds).fold(0.0, f64::max);
            for object in &facts.session {
                if let Some(latest) = object.latest.filter(|_| seconds > 0.0) {
                    findings.expect(latest < seconds, || {
                        let what = format!(
                            "it has something at {latest:.1} s of a lecture of {seconds:.1} s"
                        );
                        (object.name.clone(), what)
                    });
                }
            }
        },
    },
    Rule {
        id: "SD-07",
        title: "captions in session data are WebVTT",
        source: "WebVTT §4.1",
        advice: "write the captions as WebVTT in UTF-8",
        check: |facts, findings| each(facts, findings, SessionKind::Captions),
    },
    Rule {
        id: "SD-08",
        title: "silences are pairs of seconds in order",
        source: "Lectern: players skip `[from, to]`",
        advice: "write `[[12.5, 20.1], …]`, each silence after the one before",
        check: |facts, findings| each(facts, findings, SessionKind::Silences),
    },
];

fn listed(facts: &PackageFacts) -> &[TagEntry] {
    facts
        .multivariant
        .as_ref()
        .map_or(&[], |playlist| &playlist.session_data)
}

fn called(facts: &PackageFacts, data: &TagEntry) -> String {
    let id = shown(data.get("DATA-ID").unwrap_or_default());
    format!("{}, session data `{id}`", facts.name)
}

fn each(facts: &PackageFacts, findings: &mut Findings, kind: SessionKind) {
    for object in facts.session.iter().filter(|object| object.kind == kind) {
        findings.expect(object.fault.is_none(), || {
            (
                object.name.clone(),
                object.fault.clone().unwrap_or_default(),
            )
        });
    }
}
