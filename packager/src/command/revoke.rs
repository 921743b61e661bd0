//! `lectern revoke`, `unrevoke` and `revocations`: viewers, links and paths that open nothing.

use anyhow::{Context as _, Result, anyhow};
use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args};

use crate::clock;
use crate::command;
use crate::command::link::instant;
use crate::progress::Progress;
use crate::redact::on_one_line;
use crate::storage::edge::{ListChange, RevocationEntry, revocations};
use crate::storage::location::{ReachArgs, edge_origin};

pub(crate) async fn revoke(args: RevokeArgs) -> Result<()> {
    let (kind, name) = args.target.parts()?;
    let until = args.until.map(clock::unix);
    if until.is_some_and(|until| until <= clock::unix(clock::now())) {
        return Err(anyhow!("`--until` lies in the past"));
    }
    let change = ListChange::Add(kind, name, until);
    let list = send(&args.edge, change)
        .await
        .with_context(|| format!("cannot revoke {kind} `{}`", on_one_line(name)))?;
    let made = list.iter().find(|entry| entry.parts() == (kind, name));
    let until = made.map(|entry| format_second(entry.until));
    Progress::new(args.edge.json).result(
        format_args!(
            "revoked {kind} `{}` until {}; every data centre knows it in about a minute",
            on_one_line(name),
            until.as_deref().unwrap_or("its end")
        ),
        &serde_json::json!({"revocation": made}),
    );
    Ok(())
}

pub(crate) async fn unrevoke(args: UnrevokeArgs) -> Result<()> {
    let (kind, name) = args.target.parts()?;
    send(&args.edge, ListChange::Remove(kind, name))
        .await
        .with_context(|| {
            format!(
                "cannot remove the revocation of {kind} `{}`",
                on_one_line(name)
            )
        })?;
    Progress::new(args.edge.json).result(
        format_args!(
            "{kind} `{}` is not revoked; every data centre knows it in about a minute",
            on_one_line(name)
        ),
        &serde_json::json!({"revoked": false}),
    );
    Ok(())
}

pub(crate) async fn list(args: RevocationsArgs) -> Result<()> {
    let list = send(&args.edge, ListChange::None)
        .await
        .context("cannot list the revocations")?;
    if args.edge.json {
        return command::print(&serde_json::to_string_pretty(&list)?);
    }
    if list.is_empty() {
        Progress::new(false).note("nothing is revoked");
    }
    for entry in &list {
        command::print(&entry.format())?;
    }
    Ok(())
}

async fn send(args: &EdgeArgs, change: ListChange<'_>) -> Result<Vec<RevocationEntry>> {
    let edge = edge_origin()?;
    let edge = edge.ok_or_else(|| anyhow!("LECTERN_EDGE is not set: set it to the edge's URL"))?;
    revocations(&edge, &args.reach, change).await
}

impl RevocationEntry {
    fn parts(&self) -> (&'static str, &str) {
        match (&self.viewer, &self.link, &self.path) {
            (Some(name), ..) => ("viewer", name),
            (_, Some(name), _) => ("link", name),
            (.., path) => ("path", path.as_deref().unwrap_or_default()),
        }
    }

    fn format(&self) -> String {
        let (kind, name) = self.parts();
        format!(
            "{kind:6}  since {}  until {}  {}",
            format_second(self.since),
            format_second(self.until),
            on_one_line(name)
        )
    }
}

fn format_second(second: u64) -> String {
    let second = i64::try_from(second).ok();
    let time = second.and_then(|second| DateTime::<Utc>::from_timestamp(second, 0));
    time.map(|time| time.format("%Y-%m-%d %H:%M:%S").to_string())
        .unwrap_or_default()
}

/// The target of a revocation.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("revoked").required(true).args(["viewer", "link", "path"])))]
pub(crate) struct RevokedArgs {
    /// Viewer: the `sub` of links.
    #[arg(long, value_name = "ID")]
    pub(crate) viewer: Option<String>,
    /// Link: its `jti`.
    #[arg(long, value_name = "ID")]
    pub(crate) link: Option<String>,
    /// Object or folder, e.g. `/courses/rails/`, for every link that names its viewer or itself.
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,
}

impl RevokedArgs {
    fn parts(&self) -> Result<(&'static str, &str)> {
        let named = [
            ("viewer", &self.viewer),
            ("link", &self.link),
            ("path", &self.path),
        ];
        let mut named = named
            .into_iter()
            .filter_map(|(kind, name)| Some((kind, name.as_deref()?)));
        named
            .next()
            .ok_or_else(|| anyhow!("name a `--viewer`, a `--link` or a `--path`"))
    }
}

/// The edge, and the form of the result.
#[derive(Debug, Args)]
pub(crate) struct EdgeArgs {
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    pub(crate) target: RevokedArgs,
    /// End of the revocation (RFC 3339) [default: when no link or pass of today is valid any more].
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) until: Option<DateTime<Utc>>,
    #[command(flatten)]
    pub(crate) edge: EdgeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UnrevokeArgs {
    #[command(flatten)]
    pub(crate) target: RevokedArgs,
    #[command(flatten)]
    pub(crate) edge: EdgeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RevocationsArgs {
    #[command(flatten)]
    pub(crate) edge: EdgeArgs,
}
