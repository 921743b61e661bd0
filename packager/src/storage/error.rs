//! Errors of stores, with their exit codes and hints.

use std::path::PathBuf;

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
    #[error("the answer for `{path}` is larger than {most} bytes")]
    LongAnswer { path: String, most: usize },
    #[error("the list of `{path}` does not end: {why}")]
    EndlessList { path: String, why: String },
    #[error("cannot write `{}`", path.display())]
    Storage {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the edge refused `{path}` with {status}: {problem}")]
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
    #[error("somebody else published meanwhile: `{path}` is not what it was when this began")]
    Lost { path: String },
    #[error("`{path}` is there already, and is another object of that name")]
    Differs { path: String },
    #[error("there is no lecture at `{0}`")]
    Nothing(String),
    #[error("there is no revision `{0}`")]
    NoRevision(String),
    #[error(
        "revision `{revision}` is not whole: {missing} of its objects are missing or cut short"
    )]
    NotWhole { revision: String, missing: usize },
    #[error("revision `{0}` does not say what `master.m3u8` was")]
    NoMaster(String),
}

impl StorageError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
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
            | Self::LongAnswer { .. }
            | Self::EndlessList { .. }
            | Self::Nothing(_)
            | Self::NoRevision(_)
            | Self::NotWhole { .. }
            | Self::NoMaster(_) => Exit::Refused,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Target(LocationError::PlainHttp(_)) => {
                "use `https://`; where the way to it is your own, --allow-plain-http sends the link all the same"
            }
            Self::Target(_) => {
                "a target is `r2://bucket/prefix`, `s3://bucket/prefix`, `file:///folder` or `https://edge.example/prefix`"
            }
            Self::Incomplete { .. } | Self::Changed { .. } => {
                "make it again with `lectern package --force`"
            }
            Self::BadPackage { .. } => {
                "look at who may write there; `lectern verify --repair` mends it from the folder it was published from"
            }
            Self::Outside(_) | Self::EndlessList { .. } => "look at who may write there",
            Self::LongAnswer { .. } => "is this the right address? Look at who may write there",
            Self::BadUploadLink => "mint one with `lectern link URL/ --use upload`",
            Self::WriteOnly => {
                "set LECTERN_KEYS, or an upload link made with `lectern link URL/ --use admin`"
            }
            Self::NoCredentials(_) => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them into `~/.aws/credentials`; for R2 they are those of an API token"
            }
            Self::BadCredentials { .. } => {
                "it has sections such as `[default]` with `aws_access_key_id = …` and `aws_secret_access_key = …`"
            }
            Self::NoEndpoint(_) => {
                "it is the account's id: the first part of the host name of the bucket's S3 address; or give that with --endpoint"
            }
            Self::Storage { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                DISK_FULL
            }
            Self::Storage { .. } => "check that the folder is there and who may write into it",
            Self::Refused {
                status: 401 | 403, ..
            } => {
                "LECTERN_KEYS here and at the edge must be the same, or the upload link must cover this prefix"
            }
            Self::Refused { status: 413, .. } => "raise the edge's size limit",
            Self::Refused { .. } => {
                "the edge's log says more; running this again continues where it stopped"
            }
            Self::Unreachable { .. } => "is the edge running? `make serve` starts one here",
            Self::Denied { .. } => {
                "the key needs to read, write, list and delete objects in this bucket"
            }
            Self::Bucket { why, .. } if why.starts_with("NoSuchBucket") => {
                "check the name, the account and the region, or make the bucket"
            }
            Self::Bucket { .. } => "running this again continues where it stopped",
            Self::Lost { .. } => {
                "look at it with `lectern revisions`; running this again replaces it"
            }
            Self::Differs { .. } => "`lectern verify --repair` mends what is there",
            Self::Nothing(_) => "publish one with `lectern ship`",
            Self::NoRevision(_) => "`lectern revisions` lists those that are there",
            Self::NotWhole { .. } => {
                "`lectern verify --repair` mends it from the folder it was published from"
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
    #[error(
        "`{0}` is reached over HTTP without TLS, where everybody on the way can read and use the link that opens it"
    )]
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
