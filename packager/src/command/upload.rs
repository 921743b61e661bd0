//! `lectern upload`: stores one file, such as a recording that `lectern work` then ships.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::command::args::TargetArgs;
use crate::progress::Progress;
use crate::publish::file_upload::{FileUpload, FileUploadError};
use crate::redact::redacted;
use crate::storage::Store;
use crate::storage::error::StorageError;
use crate::storage::location::{object_name, resolve};
use crate::storage::object::PutOutcome;
use crate::units::format_bytes;

pub(crate) async fn run(args: UploadArgs) -> Result<()> {
    let uploading = || {
        let target = redacted(&args.target.target);
        format!("cannot upload `{}` to `{target}`", args.file.display())
    };
    upload(&args).await.with_context(uploading)
}

async fn upload(args: &UploadArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let (folder, name) = place(&args.target.target, &args.file)?;
    let store = Store::open(&folder, &args.target.reach)?;
    let upload = FileUpload::open(&args.file, name.clone()).await?;
    let outcome = upload.store(&store, args.replace, progress).await?;
    let url = store.display_name(&name);
    let bytes = format_bytes(upload.bytes());
    progress.note(match outcome {
        PutOutcome::Written => format!("uploaded {bytes}"),
        PutOutcome::AlreadyThere => format!("already there: {bytes} with the same contents"),
    });
    let facts = serde_json::json!({
        "url": url, "bytes": upload.bytes(), "sha256": upload.sha256(),
        "written": outcome == PutOutcome::Written,
    });
    progress.result(&url, &facts);
    Ok(())
}

/// Folder and name of the object: those of TARGET, or the file's name in the folder TARGET.
fn place(target: &str, file: &Path) -> Result<(String, String)> {
    let resolved = resolve(target).map_err(StorageError::from)?;
    let is_folder = resolved.ends_with('/') || Path::new(&resolved).is_dir();
    if !is_folder {
        let named = object_name(&resolved).map_err(StorageError::from)?;
        return named.ok_or_else(|| FileUploadError::NoFolder(redacted(target)).into());
    }
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| FileUploadError::NoName(file.to_owned()))?;
    Ok((resolved, name.to_owned()))
}

#[derive(Debug, Args)]
pub(crate) struct UploadArgs {
    /// File to store.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Replace an object of this name that has other contents.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Print events as JSON lines on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_name_in_a_folder_and_gets_the_one_of_an_object() {
        for (target, expected) in [
            ("https://h/uploads/", "https://h/uploads/ + a talk.mov"),
            ("https://h/uploads/b%20c.mov", "https://h/uploads + b c.mov"),
            ("r2://bucket/uploads/", "r2://bucket/uploads/ + a talk.mov"),
            ("/srv/no/such/folder/b.mov", "/srv/no/such/folder + b.mov"),
            ("/", "/ + a talk.mov"),
            (
                "https://h/b.mov",
                "`https://h/b.mov` names no object in a folder",
            ),
            ("r2://bucket", "`r2://bucket` names no object in a folder"),
        ] {
            let found = match place(target, Path::new("x/a talk.mov")) {
                Ok((folder, name)) => format!("{folder} + {name}"),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected, "{target}");
        }
    }
}
