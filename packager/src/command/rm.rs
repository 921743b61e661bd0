//! `lectern rm`: removes a lecture with all its revisions, or one object.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::clock;
use crate::command::args::TargetArgs;
use crate::input::live::LiveParts;
use crate::layout::MULTIVARIANT;
use crate::progress::{Progress, StepUnit};
use crate::publish::inventory::Inventory;
use crate::publish::removal::{LectureRemoval, RemovalError, not_a_lecture};
use crate::redact::redacted;
use crate::storage::Store;
use crate::storage::error::StorageError;
use crate::storage::location::object_name;
use crate::units::{format_bytes, format_count};

/// Objects to remove.
enum Removal {
    Lecture {
        store: Store,
        lecture: LectureRemoval,
    },
    Object {
        store: Store,
        name: String,
        bytes: u64,
    },
}

pub(crate) async fn run(args: RmArgs) -> Result<()> {
    let removing = || format!("cannot remove `{}`", redacted(&args.target.target));
    remove(&args).await.with_context(removing)
}

async fn remove(args: &RmArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let removal = find(args).await?;
    let described = removal.describe(&args.target.target);
    let (objects, bytes) = removal.amount();
    match args.yes || args.dry_run {
        true => progress.note(described),
        false => confirm(described).await?,
    }
    if !args.dry_run {
        removal.run(progress).await?;
    }
    let verb = if args.dry_run {
        "would remove"
    } else {
        "removed"
    };
    progress.result(
        format_args!(
            "{verb} {}, {}",
            format_count(objects, "object"),
            format_bytes(bytes)
        ),
        &serde_json::json!({"objects": objects, "bytes": bytes, "removed": !args.dry_run}),
    );
    Ok(())
}

/// Finds the lecture, else the object of this name.
async fn find(args: &RmArgs) -> Result<Removal> {
    let target = args.target.open()?;
    if !target.is_readable() {
        return Err(StorageError::WriteOnly.into());
    }
    let master = target.get(MULTIVARIANT).await?;
    let inventory = Inventory::list(&target).await?;
    if !inventory.revisions.is_empty() {
        let parts = LiveParts::find(&target, &inventory.others).await?;
        let lecture = LectureRemoval::plan(master, inventory, &parts, clock::now())?;
        return Ok(Removal::Lecture {
            store: target,
            lecture,
        });
    }
    if !inventory.others.is_empty() {
        return Err(not_a_lecture(inventory.others).into());
    }
    if let Some((folder, name)) = object_name(&args.target.target)? {
        let store = Store::open(&folder, &args.target.reach)?;
        if let Some(head) = store.head(&name).await? {
            return Ok(Removal::Object {
                store,
                name,
                bytes: head.bytes,
            });
        }
    }
    Err(RemovalError::Missing.into())
}

impl Removal {
    fn describe(&self, target: &str) -> String {
        let (objects, bytes) = self.amount();
        let (target, bytes) = (redacted(target), format_bytes(bytes));
        match self {
            Self::Object { .. } => format!("object `{target}`: {bytes}"),
            Self::Lecture { lecture, .. } => {
                let playing = match &lecture.live {
                    Some(live) => format!("revision {live} plays"),
                    None => "none plays".to_owned(),
                };
                let kept = match lecture.kept {
                    0 => String::new(),
                    kept => {
                        let kept = format_count(kept, "other object");
                        format!("; not removed: {kept} in its folder")
                    }
                };
                let revisions = lecture.revisions;
                format!(
                    "lecture `{target}`: revisions {revisions}, objects {objects}, {bytes}; \
                     {playing}{kept}"
                )
            }
        }
    }

    /// Number and bytes of the objects.
    fn amount(&self) -> (usize, u64) {
        match self {
            Self::Object { bytes, .. } => (1, *bytes),
            Self::Lecture { lecture, .. } => lecture.amount(),
        }
    }

    async fn run(&self, progress: Progress) -> Result<()> {
        match self {
            Self::Lecture { store, lecture } => {
                let step = progress.step("removing", StepUnit::Bytes, lecture.amount().1);
                lecture.run(store, &step).await?;
                step.finish();
                Ok(())
            }
            Self::Object { store, name, .. } => Ok(store.remove(name).await?),
        }
    }
}

/// Asks on the terminal.
async fn confirm(removal: String) -> Result<()> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(RemovalError::Unconfirmed.into());
    }
    let (sender, answer) = tokio::sync::oneshot::channel();
    // A thread of its own: the runtime would wait for it after ^C.
    std::thread::spawn(move || {
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "{removal}\nRemove it for good? [y/N] ");
        let _ = stderr.flush();
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        let is_yes = read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes");
        let _ = sender.send(is_yes);
    });
    match answer.await {
        Ok(true) => Ok(()),
        _ => Err(RemovalError::Unconfirmed.into()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Remove without asking. Needed where there is no terminal.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Print the lecture or object, and remove nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print events as JSON lines on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}
