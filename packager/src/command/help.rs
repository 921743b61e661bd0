//! The ends of `--help`: variables of the environment, and exit codes.

macro_rules! link_variables {
    () => {
        "\
Environment:
  LECTERN_KEYS         the edge's keys [default: those of .dev.vars in this folder]
  LECTERN_EDGE         the edge's URL, for `edge:/path`"
    };
}

macro_rules! store_variables {
    () => {
        "
  LECTERN_UPLOAD_LINK  an upload link, instead of LECTERN_KEYS
  R2_ACCOUNT_ID        the account of r2:// [default: CLOUDFLARE_ACCOUNT_ID]
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
                       the key of r2:// and s3:// [default: ~/.aws/credentials]
  AWS_PROFILE          its section in ~/.aws/credentials
  AWS_REGION, AWS_ENDPOINT_URL
                       region and endpoint of s3://"
    };
}

macro_rules! queue_variables {
    () => {
        "
  CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID
                       the token and the account of the queue"
    };
}

macro_rules! exit_codes {
    () => {
        "\
Exit codes:
  0    success
  1    failure
  2    wrong arguments, or the output folder holds something else
  3    the input is missing, empty, unreadable, damaged, too small or over a limit
  4    the environment: no ffmpeg, disk full or read-only, no keys
  5    the edge or the storage refused, or did not answer
  6    a package breaks a rule of `lectern check`, or a published object differs from its record
  130  interrupted"
    };
}

/// The end of every `--help`.
pub(super) const EXIT_CODES: &str = exit_codes!();
/// For verbs that reach a target or an input.
pub(super) const STORE: &str =
    concat!(link_variables!(), store_variables!(), "\n\n", exit_codes!());
/// For the worker of a queue.
pub(super) const WORK: &str = concat!(
    link_variables!(),
    store_variables!(),
    queue_variables!(),
    "\n\n",
    exit_codes!()
);
/// For verbs that mint or read links.
pub(super) const LINK: &str = concat!(link_variables!(), "\n\n", exit_codes!());
