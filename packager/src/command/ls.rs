//! `lectern ls`: lists the lectures and other objects below a target.

use anyhow::{Context as _, Result};
use chrono::{DateTime, SubsecRound as _, Utc};
use clap::Args;
use serde::Serialize;

use crate::command;
use crate::command::args::TargetArgs;
use crate::progress::Progress;
use crate::publish::contents::{self, StoredLecture};
use crate::redact::{on_one_line, redacted};
use crate::storage::StoredEntry;
use crate::storage::error::StorageError;
use crate::units::{format_bytes, format_count};

/// A row, as `--json` prints it.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum ListedEntry {
    Lecture {
        path: String,
        bytes: u64,
        modified: DateTime<Utc>,
        objects: usize,
        revisions: usize,
        published: bool,
    },
    Object {
        path: String,
        bytes: u64,
        modified: DateTime<Utc>,
    },
}

pub(crate) async fn run(args: LsArgs) -> Result<()> {
    let listing = || format!("cannot list `{}`", redacted(&args.target.target));
    let rows = list(&args).await.with_context(listing)?;
    if args.json {
        return command::print(&serde_json::to_string_pretty(&rows)?);
    }
    if rows.is_empty() {
        let target = redacted(&args.target.target);
        Progress::new(false).note(format_args!("nothing is stored below `{target}`"));
    }
    for row in &rows {
        command::print(&row.format())?;
    }
    Ok(())
}

async fn list(args: &LsArgs) -> Result<Vec<ListedEntry>> {
    let target = args.target.open()?;
    if !target.is_readable() {
        return Err(StorageError::WriteOnly.into());
    }
    let contents = contents::group(target.list("").await?);
    let lectures = contents.lectures.into_iter().map(ListedEntry::of_lecture);
    let objects = contents.others.into_iter().map(ListedEntry::of_object);
    let mut rows: Vec<ListedEntry> = lectures.chain(objects).collect();
    rows.sort_by(|a, b| a.path().cmp(b.path()));
    Ok(rows)
}

impl ListedEntry {
    fn of_lecture(lecture: StoredLecture) -> Self {
        let path = match lecture.folder.is_empty() {
            true => "./".to_owned(),
            false => lecture.folder,
        };
        Self::Lecture {
            path,
            bytes: lecture.bytes,
            modified: lecture.modified.trunc_subsecs(0),
            objects: lecture.objects,
            revisions: lecture.revisions,
            published: lecture.is_published,
        }
    }

    fn of_object(entry: StoredEntry) -> Self {
        Self::Object {
            path: entry.path,
            bytes: entry.bytes,
            modified: entry.modified.trunc_subsecs(0),
        }
    }

    fn path(&self) -> &str {
        match self {
            Self::Lecture { path, .. } | Self::Object { path, .. } => path,
        }
    }

    fn format(&self) -> String {
        let (Self::Lecture {
            path,
            bytes,
            modified,
            ..
        }
        | Self::Object {
            path,
            bytes,
            modified,
        }) = self;
        let kind = match self {
            Self::Lecture {
                revisions,
                published,
                ..
            } => {
                let revisions = format_count(*revisions, "revision");
                let state = if *published { "" } else { ", does not play" };
                format!("  (lecture, {revisions}{state})")
            }
            Self::Object { .. } => String::new(),
        };
        format!(
            "{}  {:>10}  {}{kind}",
            modified.format("%Y-%m-%d %H:%M:%S"),
            format_bytes(*bytes),
            // Uploaders choose names.
            on_one_line(path)
        )
    }
}

#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Print one JSON list.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::inventory::tests::entry;

    #[test]
    fn a_row_has_time_size_and_name_and_a_lecture_its_revisions() {
        let contents = contents::group(vec![
            entry("a/master.m3u8", 1),
            entry("a/v/0a/package.json", 2),
            entry("a/v/0b/package.json", 2),
            entry("b/v/0a/seg", 3),
        ]);
        let rows: Vec<String> = contents
            .lectures
            .into_iter()
            .map(|lecture| ListedEntry::of_lecture(lecture).format())
            .collect();
        assert_eq!(
            rows,
            [
                "1970-01-01 00:02:00    30 bytes  a/  (lecture, 2 revisions)",
                "1970-01-01 00:03:00    10 bytes  b/  (lecture, 1 revision, does not play)",
            ]
        );
        let row = ListedEntry::of_object(entry("evil\u{1b}[2J\n.mov", 4));
        assert_eq!(
            row.format(),
            "1970-01-01 00:04:00    10 bytes  evil\\u{1b}[2J\\n.mov"
        );
    }
}
