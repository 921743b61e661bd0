//! `lectern watched` and `forget`: what viewers watched.

use anyhow::{Context as _, Result, anyhow};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{ArgGroup, Args};
use lectern::operation::watched::cell;

use crate::command;
use crate::progress::Progress;
use crate::redact::{on_one_line, redacted};
use crate::storage::edge::{WatchData, WatchedEntry};
use crate::storage::location::{Location, ReachArgs, edge_origin};
use crate::units::format_count;

pub(crate) async fn run(args: WatchedArgs) -> Result<()> {
    let (subject, entries) = match (&args.target, &args.viewer) {
        (Some(target), _) => {
            let subject = format!("the lecture `{}`", redacted(target));
            let listing = || format!("cannot list the viewers of {subject}");
            let entries = viewers(target, &args.reach).await.with_context(listing)?;
            (subject, entries)
        }
        (None, viewer) => {
            let viewer = viewer.as_deref().unwrap_or_default();
            let subject = format!("the viewer `{}`", on_one_line(viewer));
            let listing = || format!("cannot list the lectures of {subject}");
            let data = open(&args.reach)?;
            let entries = data.lectures(viewer).await.with_context(listing)?;
            (subject, entries)
        }
    };
    if args.json {
        return command::print(&serde_json::to_string_pretty(&entries)?);
    }
    if args.csv {
        return command::print(format_csv(&entries, args.target.is_some()).trim_end());
    }
    if entries.is_empty() {
        Progress::new(false).note(format_args!("nothing is known of {subject}"));
    }
    for entry in &entries {
        command::print(&entry.format())?;
    }
    Ok(())
}

pub(crate) async fn forget(args: ForgetArgs) -> Result<()> {
    let viewer = on_one_line(&args.viewer);
    let forgotten = open(&args.reach)?
        .forget(&args.viewer)
        .await
        .with_context(|| format!("cannot forget the viewer `{viewer}`"))?;
    let pending = match forgotten.pending {
        0 => String::new(),
        rows => format!(
            "; the edge still removes {} of lectures' lists",
            format_count(rows, "row")
        ),
    };
    Progress::new(args.json).result(
        format_args!(
            "forgot viewer `{viewer}`: {} and {}{pending}",
            format_count(forgotten.lectures, "lecture"),
            format_count(forgotten.players, "player")
        ),
        &serde_json::json!({"forgotten": forgotten}),
    );
    Ok(())
}

async fn viewers(target: &str, reach: &ReachArgs) -> Result<Vec<WatchedEntry>> {
    match Location::parse(target, reach)? {
        Location::Edge(lecture) => {
            WatchData::open(&lecture.origin, reach)?
                .viewers(&lecture)
                .await
        }
        Location::Folder(_) | Location::Bucket(_) => {
            let remedy = "name the lecture at an edge, such as `edge:/courses/rails/intro/`";
            Err(anyhow!("the edge knows what viewers watched: {remedy}"))
        }
    }
}

fn open(reach: &ReachArgs) -> Result<WatchData> {
    let edge = edge_origin()?;
    let edge = edge.ok_or_else(|| anyhow!("LECTERN_EDGE is not set: set it to the edge's URL"))?;
    WatchData::open(&edge, reach)
}

impl WatchedEntry {
    fn name(&self) -> &str {
        let name = self.viewer.as_ref().or(self.lecture.as_ref());
        name.map(String::as_str).unwrap_or_default()
    }

    fn format(&self) -> String {
        let completed = match self.completed_at {
            Some(second) => format!("completed {}", format_time(second, " ")),
            None => "not completed".to_owned(),
        };
        format!(
            "{:3} %  at {} of {}  {completed:29}  last seen {}  {}",
            self.percent,
            format_position(self.position),
            format_position(self.duration),
            format_time(self.last_seen, " "),
            on_one_line(self.name())
        )
    }
}

/// The entries as the edge writes them for `as=csv`.
fn format_csv(entries: &[WatchedEntry], is_of_lecture: bool) -> String {
    let name = if is_of_lecture { "viewer" } else { "lecture" };
    let mut csv = format!("{name},percent,position,duration,completed_at,last_seen\r\n");
    for entry in entries {
        let completed_at = entry.completed_at.map(|second| format_time(second, "T"));
        csv.push_str(&format!(
            "{},{},{},{},{},{}\r\n",
            cell(entry.name()),
            entry.percent,
            entry.position,
            entry.duration,
            completed_at.unwrap_or_default(),
            format_time(entry.last_seen, "T")
        ));
    }
    csv
}

/// Formats seconds as `1:02:03`.
fn format_position(seconds: u32) -> String {
    format!(
        "{}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

fn format_time(second: u64, separator: &str) -> String {
    let second = i64::try_from(second).ok();
    let time = second.and_then(|second| DateTime::<Utc>::from_timestamp(second, 0));
    let text = time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true));
    let text = text.unwrap_or_default();
    match separator {
        "T" => text,
        other => text.replace('T', other).trim_end_matches('Z').to_owned(),
    }
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("watched").required(true).args(["target", "viewer"])))]
pub(crate) struct WatchedArgs {
    /// Lecture at an edge: `https://edge/courses/rails/intro/` or `edge:/courses/rails/intro/`.
    pub(crate) target: Option<String>,
    /// Viewer: the `sub` of links. Lists the lectures of this viewer.
    #[arg(long, value_name = "ID")]
    pub(crate) viewer: Option<String>,
    /// Print the list as CSV (RFC 4180).
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    /// Print the list as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// Viewer: the `sub` of links.
    #[arg(long, value_name = "ID", required = true)]
    pub(crate) viewer: String,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(viewer: &str, completed_at: Option<u64>) -> WatchedEntry {
        WatchedEntry {
            viewer: Some(viewer.to_owned()),
            lecture: None,
            percent: 72,
            position: 1_834,
            duration: 2_700,
            completed_at,
            last_seen: 1_800_000_060,
        }
    }

    #[test]
    fn an_entry_is_a_line() {
        assert_eq!(
            entry("s42\n", Some(1_800_000_000)).format(),
            " 72 %  at 0:30:34 of 0:45:00  completed 2027-01-15 08:00:00  last seen 2027-01-15 08:01:00  s42\\n"
        );
    }

    #[test]
    fn csv_has_no_formulas() {
        assert_eq!(
            format_csv(
                &[entry("=1+\"1\"", None), entry("s42", Some(1_800_000_000))],
                true
            ),
            "viewer,percent,position,duration,completed_at,last_seen\r\n\
             \"'=1+\"\"1\"\"\",72,1834,2700,,2027-01-15T08:01:00Z\r\n\
             \"s42\",72,1834,2700,2027-01-15T08:00:00Z,2027-01-15T08:01:00Z\r\n"
        );
    }
}
