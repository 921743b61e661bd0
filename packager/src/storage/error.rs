//! Errors of stores, with their exit codes and hints.

use std::path::PathBuf;

use super::notation::Suggestion;
use crate::exit::{DISK_FULL, Exit};
use crate::redact::redacted_target;
use lectern::object::key::ObjectKeyError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    #[error(transparent)]
    Target(#[from] LocationError),
    #[error("`{}` holds no complete package: {why}", folder.display())]
    Incomplete { folder: PathBuf, why: String },
    #[error("cannot read `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{path}` has other bytes than its `package.json` says, and was not sent")]
    Changed { path: String },
    #[error("`{path}` is not used: {why}")]
    BadPackage { path: String, why: String },
    #[error("`{}` is no path below a target", .0.escape_debug())]
    Outside(String),
    #[error("`{path}` is larger than {most} bytes")]
    TooLargeForMemory { path: String, most: usize },
    #[error("the list of `{path}` does not end: {why}")]
    EndlessList { path: String, why: String },
    #[error("cannot write `{}`", path.display())]
    Storage {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the edge refused {} with {status}: {problem}", describe_object(path))]
    Refused {
        path: String,
        status: u16,
        problem: String,
    },
    #[error("cannot reach the edge at `{origin}`: {why}")]
    Unreachable { origin: String, why: String },
    #[error("LECTERN_UPLOAD_LINK is neither a URL with `?token=` nor a token")]
    BadUploadLink,
    #[error("the upload link in LECTERN_UPLOAD_LINK reads nothing")]
    WriteOnly,
    #[error("there are no credentials for `{0}` targets")]
    NoCredentials(&'static str),
    #[error("cannot read the credentials in `{}`: {why}", path.display())]
    BadCredentials { path: PathBuf, why: String },
    #[error("{0} is not set")]
    NoEndpoint(&'static str),
    #[error("the bucket refused `{path}`: {why}")]
    Denied { path: String, why: String },
    #[error("the bucket failed at `{path}`: {why}")]
    Bucket { path: String, why: String },
    #[error("another publish changed `{path}` while this one was running")]
    Lost { path: String },
    #[error("`{path}` already exists with other contents")]
    Differs { path: String },
    #[error("there is no lecture at `{0}`")]
    Nothing(String),
    #[error("there is no revision `{0}`")]
    NoRevision(String),
    #[error("no other revision has played there")]
    NoOtherRevision,
    #[error(
        "revision `{revision}` is incomplete: {missing} of its objects are missing or cut short"
    )]
    NotWhole { revision: String, missing: usize },
    #[error("revision `{0}` does not contain its `master.m3u8`")]
    NoMaster(String),
}

impl StorageError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Target(LocationError::NoEdge(_) | LocationError::BadEdge(_)) => Exit::Environment,
            Self::Target(_) => Exit::Usage,
            Self::Incomplete { .. } | Self::Changed { .. } => Exit::Input,
            Self::Read { .. } => Exit::Failed,
            Self::BadUploadLink
            | Self::WriteOnly
            | Self::NoCredentials(_)
            | Self::BadCredentials { .. }
            | Self::NoEndpoint(_) => Exit::Environment,
            Self::Storage { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Exit::Environment
            }
            Self::Storage { .. }
            | Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::Denied { .. }
            | Self::Bucket { .. }
            | Self::Lost { .. }
            | Self::Differs { .. }
            | Self::BadPackage { .. }
            | Self::Outside(_)
            | Self::TooLargeForMemory { .. }
            | Self::EndlessList { .. }
            | Self::Nothing(_)
            | Self::NoRevision(_)
            | Self::NoOtherRevision
            | Self::NotWhole { .. }
            | Self::NoMaster(_) => Exit::Refused,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Target(LocationError::PlainHttp(_)) => {
                "use `https://`, or --allow-plain-http on a network of your own"
            }
            Self::Target(LocationError::NoEdge(_) | LocationError::BadEdge(_)) => {
                "set it to the edge's URL, as in `export LECTERN_EDGE=http://localhost:8787`"
            }
            Self::Target(LocationError::NoScheme(_)) => {
                "begin a URL with its scheme, and a path with `./`"
            }
            Self::Target(_) => {
                "a target is a folder, `https://edge.example/prefix`, `edge:/prefix` for LECTERN_EDGE, `r2://bucket/prefix` or `s3://bucket/prefix`"
            }
            Self::Incomplete { .. } | Self::Changed { .. } => {
                "make it again with `lectern package --force`"
            }
            Self::BadPackage { .. } => {
                "check who may write there, and repair it from the published folder with `lectern verify --repair`"
            }
            Self::Outside(_) | Self::EndlessList { .. } => "check who may write there",
            Self::TooLargeForMemory { .. } => "check the address, and who may write there",
            Self::BadUploadLink => "mint one with `lectern link URL/ --use upload`",
            Self::WriteOnly => {
                "set LECTERN_KEYS, or an upload link made with `lectern link URL/ --use admin`"
            }
            Self::NoCredentials(_) => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them into `~/.aws/credentials`; for R2 they are those of an API token"
            }
            Self::BadCredentials { .. } => {
                "write sections such as `[default]` with `aws_access_key_id = …` and `aws_secret_access_key = …`"
            }
            Self::NoEndpoint(_) => {
                "set it to the account's id, the first label of the bucket's S3 host name; or give --endpoint"
            }
            Self::Storage { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                DISK_FULL
            }
            Self::Storage { .. } => "check that the folder is there and who may write into it",
            Self::Refused {
                status: 401 | 403, ..
            } => "use the LECTERN_KEYS of the edge, or an upload link for this prefix",
            Self::Refused { status: 413, .. } => "raise the edge's size limit",
            Self::Refused { .. } => "read the edge's log, and run this again: it resumes",
            Self::Unreachable { .. } => {
                "check the address and the network; `make serve` starts a local edge"
            }
            Self::Denied { .. } => {
                "give the key the rights to read, write, list and delete objects in this bucket"
            }
            Self::Bucket { why, .. } if why.starts_with("NoSuchBucket") => {
                "check the name, the account and the region, or create the bucket"
            }
            Self::Bucket { .. } => "run this again: it resumes",
            Self::Lost { .. } => {
                "list the stored revisions with `lectern revisions`; run this again to replace the lecture"
            }
            Self::Differs { .. } => "repair the stored objects with `lectern verify --repair`",
            Self::Nothing(_) => "publish one with `lectern ship`",
            Self::NoRevision(_) | Self::NoOtherRevision => {
                "list the stored revisions with `lectern revisions`"
            }
            Self::NotWhole { .. } => {
                "repair it from the published folder with `lectern verify --repair`"
            }
            Self::NoMaster(_) => "publish its package again",
            Self::Read { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

/// Faults in the text of a target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocationError {
    #[error("`{}` is not a URL", redacted_target(.0))]
    NotAUrl(String),
    #[error("{}", describe_no_scheme(.0))]
    NoScheme(Suggestion),
    #[error("LECTERN_EDGE is not set, and `edge:{0}` is a path at that edge")]
    NoEdge(String),
    #[error(
        "`{}` in LECTERN_EDGE is not a URL such as `https://video.example.org`",
        redacted_target(.0)
    )]
    BadEdge(String),
    #[error("`{0}` targets are not supported")]
    UnknownScheme(String),
    #[error("`{}` is not of the form `file:///folder`", redacted_target(.0))]
    NotAFolder(String),
    #[error("a target has no user, password, query or fragment")]
    Decorated,
    #[error(
        "a target needs a prefix, as in `https://edge.example/courses/rails` or `r2://bucket/courses/rails`"
    )]
    NoPrefix,
    #[error("--endpoint is for `r2://` and `s3://` targets")]
    Endpoint,
    #[error("`{0}` uses HTTP without TLS: everybody on the network path can read and use the link")]
    PlainHttp(String),
    #[error("`{}` is no endpoint such as `https://s3.example`", redacted_target(.0))]
    BadEndpoint(String),
    #[error("the prefix of `{}` is not acceptable", redacted_target(target))]
    BadPrefix {
        target: String,
        #[source]
        source: ObjectKeyError,
    },
}

/// Names an object of a target; the target itself has no name in it.
fn describe_object(path: &str) -> String {
    match path {
        "" => "the target".to_owned(),
        _ => format!("`{path}`"),
    }
}

fn describe_no_scheme(suggestion: &Suggestion) -> String {
    let Suggestion { text, url, path } = suggestion;
    let local = path.as_ref().map(|path| format!(", or the path `{path}`"));
    let local = local.unwrap_or_default();
    format!("`{text}` has no scheme: did you mean `{url}`{local}?")
}
