//! `lectern verify`: compares every object of a published revision with its `package.json`, and
//! repairs what differs.

use std::path::Path;

use anyhow::{Context as _, Result};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use crate::command::args::TargetArgs;
use crate::digest::Digest;
use crate::exit::Exit;
use crate::failure::Reported;
use crate::files::package_folder;
use crate::layout::{MULTIVARIANT, is_mutable};
use crate::media::Object;
use crate::package::manifest_json::{self, Package};
use crate::progress::{Progress, Step, StepUnit};
use crate::publish::inventory::read_package;
use crate::publish::publication::upload_of;
use crate::publish::{named_revision, open_package};
use crate::redact::redacted;
use crate::storage::Store;
use crate::storage::concurrency::MAX_REQUESTS;
use crate::storage::error::StorageError;
use crate::storage::journal::Journal;
use crate::storage::object::{PutCondition, Upload};
use crate::units::format_bytes;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum ObjectFault {
    Missing,
    /// Has another size.
    CutShort,
    /// Has the same size and other bytes.
    Changed,
}

#[derive(Serialize)]
struct ObjectFinding<'a> {
    path: &'a str,
    fault: ObjectFault,
    #[serde(rename = "mended")]
    is_repaired: bool,
}

/// The revision to verify, and the folder to repair it from.
struct Verification<'a> {
    target: &'a Store,
    package: Package,
    /// The revision plays, so the files at the root belong to it.
    is_live: bool,
    /// The fault of `package.json` itself.
    own_fault: Option<ObjectFault>,
    /// The folder of `--repair`.
    folder: Option<&'a Path>,
    /// The folder holds this revision.
    is_in_folder: bool,
}

pub(crate) async fn run(args: VerifyArgs) -> Result<()> {
    let verifying = || format!("cannot verify `{}`", redacted(&args.target.target));
    match verify(&args).await.with_context(verifying)? {
        true => Ok(()),
        false => Err(Reported(Exit::Broken).into()),
    }
}

/// Returns true if all objects are right, or are repaired.
async fn verify(args: &VerifyArgs) -> Result<bool> {
    let progress = Progress::new(args.json);
    let target = args.target.open()?;
    let verification = Verification::open(&target, args).await?;
    let objects = verification.objects();
    let bytes = objects.iter().map(|object| object.bytes).sum();
    let step = progress.step("verifying", StepUnit::Bytes, bytes);
    let faults = find_faults(&target, &objects, &step).await?;
    step.finish();
    let package_json_path = verification.package.package_json_path();
    let mut findings = vec![];
    for (object, fault) in faults {
        findings.push(ObjectFinding {
            path: &object.path,
            fault,
            is_repaired: verification.repair(object).await?,
        });
    }
    if let Some(fault) = verification.own_fault {
        findings.extend(
            verification
                .repair_package_json()
                .await?
                .then_some(ObjectFinding {
                    path: &package_json_path,
                    fault,
                    is_repaired: true,
                }),
        );
    }
    report(progress, &verification.package, objects.len(), &findings);
    Ok(findings.iter().all(|finding| finding.is_repaired))
}

impl<'a> Verification<'a> {
    async fn open(target: &'a Store, args: &'a VerifyArgs) -> Result<Self> {
        if !target.is_readable() {
            return Err(StorageError::WriteOnly.into());
        }
        let master = target.get(MULTIVARIANT).await?;
        let live = master.and_then(|master| {
            named_revision(&String::from_utf8_lossy(&master.bytes)).map(str::to_owned)
        });
        let folder = args.repair.as_deref();
        let local = folder.map(open_package).transpose()?;
        let revision = (args.revision.clone())
            .or_else(|| live.clone())
            .or_else(|| local.as_ref().map(|package| package.revision.clone()))
            .ok_or_else(|| StorageError::Nothing(redacted(&args.target.target)))?;
        let local = local.filter(|package| package.revision == revision);
        let is_in_folder = local.is_some();
        let (package, own_fault) = match (read_package(target, &revision).await, local) {
            (Ok(package), _) => (package, None),
            (Err(StorageError::NoRevision(_)), Some(local)) => (local, Some(ObjectFault::Missing)),
            (Err(StorageError::BadPackage { .. }), Some(local)) => {
                (local, Some(ObjectFault::Changed))
            }
            (Err(error), _) => return Err(error.into()),
        };
        Ok(Self {
            target,
            package,
            is_live: live.is_none_or(|live| live == revision),
            own_fault,
            folder,
            is_in_folder,
        })
    }

    /// Objects to compare. The files at the root belong to the live revision.
    fn objects(&self) -> Vec<&Object> {
        let objects = self.package.objects.iter();
        objects
            .filter(|object| self.is_live || !is_mutable(&object.path))
            .collect()
    }

    /// Uploads an object again: a file at the root from `package.json`, any other from the folder.
    /// Returns true if the stored object is right then.
    async fn repair(&self, object: &Object) -> Result<bool> {
        let Some(folder) = self.folder else {
            return Ok(false);
        };
        let mut root = self.package.root.iter();
        let upload = match root.find(|file| file.path == object.path) {
            Some(file) => Upload::of_bytes(&file.path, file.text.clone()),
            None if self.is_in_folder => upload_of(folder, object),
            None => return Ok(false),
        };
        match self.put(&upload).await {
            // The folder's file differs from `package.json` as well.
            Err(StorageError::Changed { .. }) => return Ok(false),
            put => put?,
        }
        let found = self.target.digest(&object.path).await?;
        Ok(compare(object, found.as_ref()).is_none())
    }

    /// Uploads `package.json` again. Returns false if there is no folder.
    async fn repair_package_json(&self) -> Result<bool> {
        let Some(folder) = self.folder else {
            return Ok(false);
        };
        let path = self.package.package_json_path();
        let json = package_folder::read(folder, &path, manifest_json::MAX_BYTES)?;
        self.put(&Upload::of_bytes(&path, json)).await?;
        Ok(true)
    }

    async fn put(&self, upload: &Upload) -> Result<(), StorageError> {
        let journal = Journal::none();
        let put = self.target.put(upload, &PutCondition::Any, &journal);
        put.await.map(drop)
    }
}

async fn find_faults<'a>(
    target: &Store,
    objects: &[&'a Object],
    step: &Step,
) -> Result<Vec<(&'a Object, ObjectFault)>, StorageError> {
    let compared = stream::iter(objects.iter().copied())
        .map(|object| async move {
            let found = target.digest(&object.path).await?;
            step.add(object.bytes);
            Ok(compare(object, found.as_ref()).map(|fault| (object, fault)))
        })
        .buffered(MAX_REQUESTS);
    let compared: Vec<Result<Option<_>, StorageError>> = compared.collect().await;
    compared.into_iter().filter_map(Result::transpose).collect()
}

fn compare(object: &Object, found: Option<&Digest>) -> Option<ObjectFault> {
    match found {
        None => Some(ObjectFault::Missing),
        Some(found) if found.bytes != object.bytes => Some(ObjectFault::CutShort),
        Some(found) if found.sha256 != object.sha256 => Some(ObjectFault::Changed),
        Some(_) => None,
    }
}

fn report(progress: Progress, package: &Package, objects: usize, findings: &[ObjectFinding]) {
    let mut lines = vec![];
    for finding in findings {
        let fault = match finding.fault {
            ObjectFault::Missing => "is missing",
            ObjectFault::CutShort => "has another size",
            ObjectFault::Changed => "has other bytes",
        };
        let (mark, mended) = match finding.is_repaired {
            true => ("✔", ", and was mended"),
            false => ("✘", ""),
        };
        lines.push(format!("{mark} {} {fault}{mended}", finding.path));
    }
    let wrong = findings
        .iter()
        .filter(|finding| !finding.is_repaired)
        .count();
    let mark = if wrong == 0 { "✔" } else { "✘" };
    lines.push(format!(
        "{mark} revision {}: {} of {objects} objects are right, {}",
        package.revision,
        objects.saturating_sub(wrong),
        format_bytes(package.bytes())
    ));
    progress.result(
        lines.join("\n"),
        &serde_json::json!({
            "revision": package.revision, "objects": objects, "faults": findings,
        }),
    );
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Revision to verify [default: the one that plays].
    #[arg(long)]
    pub(crate) revision: Option<String>,
    /// Upload missing and wrong objects again, from the folder that they were published from.
    #[arg(long, value_name = "DIR")]
    pub(crate) repair: Option<PathBuf>,
    /// Print events as JSON lines on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_missing_cut_short_or_changed() {
        let object = Object {
            path: "v/1/a".into(),
            bytes: 3,
            sha256: "aa".into(),
            content_type: String::new(),
        };
        let found = |bytes, sha256: &str| Digest {
            bytes,
            sha256: sha256.into(),
        };
        for (found, expected) in [
            (None, Some(ObjectFault::Missing)),
            (Some(found(2, "aa")), Some(ObjectFault::CutShort)),
            (Some(found(3, "ab")), Some(ObjectFault::Changed)),
            (Some(found(3, "aa")), None),
        ] {
            assert_eq!(compare(&object, found.as_ref()), expected, "{found:?}");
        }
    }
}
