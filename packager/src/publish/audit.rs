//! `lectern verify`: compares every object of a published revision with its `package.json`, and mends what is not right.

use std::path::Path;

use anyhow::{Context as _, Result};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use super::journal::Journal;
use super::lanes::MOST;
use super::publication::upload;
use super::revisions::package;
use super::store::Digested;
use super::upload::Condition;
use super::{PublishError, Target, Upload, named_revision, open};
use crate::cli::VerifyArgs;
use crate::package::megabytes;
use crate::package_file;
use crate::package_json::{self, MULTIVARIANT, Object, Package, is_mutable};
use crate::progress::{Progress, Step, Unit};

/// The report has said what is wrong.
#[derive(Debug, thiserror::Error)]
#[error("what is published is not what its `package.json` says")]
pub(crate) struct Broken;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fault {
    Missing,
    /// Of another size.
    CutShort,
    /// Of the same size, with other bytes.
    Changed,
}

#[derive(Serialize)]
struct Finding<'a> {
    path: &'a str,
    fault: Fault,
    mended: bool,
}

pub(crate) async fn run(args: VerifyArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let verifying = || format!("cannot verify `{}`", args.target.target);
    let target = args.target.open().with_context(verifying)?;
    if !target.is_readable() {
        return Err(PublishError::WriteOnly).with_context(verifying);
    }
    let master = target.get(MULTIVARIANT).await.with_context(verifying)?;
    let live = master.and_then(|master| {
        named_revision(&String::from_utf8_lossy(&master.bytes)).map(str::to_owned)
    });
    let local = args.repair.as_deref().map(open).transpose();
    let local = local.with_context(verifying)?;
    let wanted = (args.revision.clone())
        .or_else(|| live.clone())
        .or_else(|| local.as_ref().map(|package| package.revision.clone()))
        .ok_or_else(|| PublishError::Nothing(args.target.target.clone()))
        .with_context(verifying)?;
    let local = local.filter(|package| package.revision == wanted);
    let published = package(&target, &wanted).await;
    let (package, own_fault) = match (published, &local) {
        (Ok(package), _) => (package, None),
        // What says what should be there is itself not there, or not what it was.
        (Err(PublishError::NoRevision(_)), Some(local)) => (local.clone(), Some(Fault::Missing)),
        (Err(PublishError::BadPackage { .. }), Some(local)) => {
            (local.clone(), Some(Fault::Changed))
        }
        (Err(error), _) => return Err(error).with_context(verifying),
    };
    let is_live = live.is_none_or(|live| live == wanted);
    let objects: Vec<&Object> = (package.objects.iter())
        .filter(|object| is_live || !is_mutable(&object.path))
        .collect();
    let bytes = objects.iter().map(|object| object.bytes).sum();
    let step = progress.step("verifying", Unit::Bytes, bytes);
    let faults = faults(&target, &objects, &step)
        .await
        .with_context(verifying)?;
    step.finish();
    let mut findings = vec![];
    for (object, fault) in faults {
        let mended = mend(
            &target,
            &package,
            local.as_ref(),
            args.repair.as_deref(),
            object,
        )
        .await
        .with_context(verifying)?;
        findings.push(Finding {
            path: &object.path,
            fault,
            mended,
        });
    }
    let own = package.own_path();
    if let (Some(fault), Some(folder)) = (own_fault, &args.repair) {
        let json =
            package_file::read(folder, &own, package_json::MAX_BYTES).with_context(verifying)?;
        let upload = Upload::of_bytes(&own, json);
        let put = target.put(&upload, &Condition::Any, &Journal::none()).await;
        put.with_context(verifying)?;
        findings.push(Finding {
            path: &own,
            fault,
            mended: true,
        });
    }
    report(progress, &package, objects.len(), &findings);
    if findings.iter().any(|finding| !finding.mended) {
        return Err(Broken.into());
    }
    Ok(())
}

async fn faults<'a>(
    target: &Target,
    objects: &[&'a Object],
    step: &Step,
) -> Result<Vec<(&'a Object, Fault)>, PublishError> {
    let looked = stream::iter(objects.iter().copied())
        .map(|object| async move {
            let found = target.digest(&object.path).await?;
            step.add(object.bytes);
            Ok(fault(object, found.as_ref()).map(|fault| (object, fault)))
        })
        .buffered(MOST);
    let looked: Vec<Result<Option<_>, PublishError>> = looked.collect().await;
    looked.into_iter().filter_map(Result::transpose).collect()
}

fn fault(object: &Object, found: Option<&Digested>) -> Option<Fault> {
    match found {
        None => Some(Fault::Missing),
        Some(found) if found.bytes != object.bytes => Some(Fault::CutShort),
        Some(found) if found.sha256 != object.sha256 => Some(Fault::Changed),
        Some(_) => None,
    }
}

/// From the folder that it was published from, if that has it as it should be; what may change, from `package.json`.
async fn mend(
    target: &Target,
    package: &Package,
    local: Option<&Package>,
    folder: Option<&Path>,
    object: &Object,
) -> Result<bool> {
    let Some(folder) = folder else {
        return Ok(false);
    };
    let root = package.root.iter().find(|file| file.path == object.path);
    let upload = match (root, local) {
        (Some(file), _) => Upload::of_bytes(&file.path, file.text.clone()),
        (None, Some(_)) => upload(folder, object),
        (None, None) => return Ok(false),
    };
    match target.put(&upload, &Condition::Any, &Journal::none()).await {
        // The folder has no better one.
        Err(PublishError::Changed { .. }) => return Ok(false),
        put => put?,
    };
    let found = target.digest(&object.path).await?;
    Ok(fault(object, found.as_ref()).is_none())
}

fn report(progress: Progress, package: &Package, objects: usize, findings: &[Finding]) {
    let mut lines = vec![];
    for finding in findings {
        let fault = match finding.fault {
            Fault::Missing => "is missing",
            Fault::CutShort => "has another size",
            Fault::Changed => "has other bytes",
        };
        let (mark, mended) = match finding.mended {
            true => ("✔", ", and was mended"),
            false => ("✘", ""),
        };
        lines.push(format!("{mark} {} {fault}{mended}", finding.path));
    }
    let wrong = findings.iter().filter(|finding| !finding.mended).count();
    let mark = if wrong == 0 { "✔" } else { "✘" };
    lines.push(format!(
        "{mark} revision {}: {} of {objects} objects are right, {:.1} MB",
        package.revision,
        objects.saturating_sub(wrong),
        megabytes(package.bytes())
    ));
    progress.result(
        lines.join("\n"),
        &serde_json::json!({
            "revision": package.revision, "objects": objects, "faults": findings,
        }),
    );
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
        let found = |bytes, sha256: &str| Digested {
            bytes,
            sha256: sha256.into(),
        };
        for (found, expected) in [
            (None, Some(Fault::Missing)),
            (Some(found(2, "aa")), Some(Fault::CutShort)),
            (Some(found(3, "ab")), Some(Fault::Changed)),
            (Some(found(3, "aa")), None),
        ] {
            assert_eq!(fault(&object, found.as_ref()), expected, "{found:?}");
        }
    }
}
