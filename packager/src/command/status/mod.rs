//! Status of a recording: a small object beside an upload, which tells the uploader how far its
//! packaging is.

mod failure;
mod writer;

use serde::Serialize;

use crate::failure::Interrupted;
use crate::limits::LimitError;
use crate::progress::watch::Observed;
pub(crate) use failure::UploaderError;
pub(crate) use writer::StatusWriter;

/// Attempts of a queue that is set up as docs/scaling.md describes.
const MAX_ATTEMPTS: u32 = 6;

/// A status, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct JobStatus {
    pub(crate) state: JobState,
    pub(crate) percent: u8,
    /// Path of the lecture's folder at the edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lecture: Option<String>,
    /// Rungs that play: `480p`.
    pub(crate) rungs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<UploaderError>,
    /// Seconds since 1970.
    pub(crate) updated: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobState {
    /// A packager takes the recording later.
    Waiting,
    Packaging,
    /// The lecture plays, and further rungs follow.
    Playing,
    Done,
    Failed,
}

impl JobStatus {
    /// The status of a job in progress.
    fn of_progress(observed: Observed) -> Self {
        let state = match observed.is_playing {
            true => JobState::Playing,
            false => JobState::Packaging,
        };
        Self::new(state, observed)
    }

    /// The status after an attempt. `attempts` counts those of a queue; without a queue, none
    /// follows. It is final only if no attempt follows, because pages stop asking then.
    pub(crate) fn of_result(
        result: &anyhow::Result<()>,
        observed: Observed,
        attempts: Option<u32>,
    ) -> Self {
        let Err(error) = result else {
            return Self::done(observed);
        };
        if attempts.is_some() && error.is::<Interrupted>() {
            return Self::ended(JobState::Waiting, None);
        }
        // A worker acknowledges a job beyond a limit, and returns every other one to the queue.
        let is_repeated =
            attempts.is_some_and(|attempts| attempts < MAX_ATTEMPTS) && !error.is::<LimitError>();
        let (state, other) = match is_repeated {
            true => (JobState::Waiting, UploaderError::Retrying),
            false => (JobState::Failed, UploaderError::GivenUp),
        };
        Self::ended(state, Some(UploaderError::of(error).unwrap_or(other)))
    }

    /// The status of a finished job.
    fn done(observed: Observed) -> Self {
        Self {
            percent: 100,
            ..Self::new(JobState::Done, observed)
        }
    }

    /// The status of a job that another attempt starts again, or that failed.
    fn ended(state: JobState, error: Option<UploaderError>) -> Self {
        Self {
            error,
            ..Self::new(state, Observed::default())
        }
    }

    fn new(state: JobState, observed: Observed) -> Self {
        Self {
            state,
            percent: observed.percent,
            lecture: None,
            rungs: observed.rungs,
            error: None,
            updated: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceError;

    #[test]
    fn a_result_is_final_unless_another_attempt_may_succeed() {
        let described = |error: anyhow::Error, attempts: Option<u32>| {
            let status = JobStatus::of_result(&Err(error), Observed::default(), attempts);
            (status.state, status.error.map(UploaderError::code))
        };
        let other = || anyhow::anyhow!("the bucket does not answer");
        let limit = || {
            let error: anyhow::Error = LimitError::Input { named: 2, limit: 1 }.into();
            error.context("cannot ship `r2://b/uploads/x`")
        };
        for (error, attempts, expected) in [
            (Interrupted.into(), Some(1), (JobState::Waiting, None)),
            (
                Interrupted.into(),
                None,
                (JobState::Failed, Some("given_up")),
            ),
            (
                SourceError::Empty.into(),
                Some(5),
                (JobState::Waiting, Some("empty")),
            ),
            (
                SourceError::Empty.into(),
                Some(6),
                (JobState::Failed, Some("empty")),
            ),
            (
                SourceError::Empty.into(),
                None,
                (JobState::Failed, Some("empty")),
            ),
            (limit(), Some(1), (JobState::Failed, Some("too_large"))),
            (other(), Some(5), (JobState::Waiting, Some("retrying"))),
            (other(), Some(6), (JobState::Failed, Some("given_up"))),
            (other(), None, (JobState::Failed, Some("given_up"))),
        ] {
            let shown = format!("{error} {attempts:?}");
            assert_eq!(described(error, attempts), expected, "{shown}");
        }
        let done = JobStatus::of_result(&Ok(()), Observed::default(), Some(1));
        assert_eq!((done.state, done.percent), (JobState::Done, 100));
    }

    #[test]
    fn a_status_is_what_pages_read() {
        let observed = Observed {
            is_playing: true,
            rungs: vec!["480p".to_owned()],
            percent: 40,
        };
        for (status, expected) in [
            (
                JobStatus {
                    lecture: Some("/courses/rails/intro/".to_owned()),
                    updated: 1_800_000_000,
                    ..JobStatus::of_progress(observed.clone())
                },
                r#"{"state":"playing","percent":40,"lecture":"/courses/rails/intro/","rungs":["480p"],"updated":1800000000}"#,
            ),
            (
                JobStatus::of_progress(Observed::default()),
                r#"{"state":"packaging","percent":0,"rungs":[],"updated":0}"#,
            ),
            (
                JobStatus::done(observed),
                r#"{"state":"done","percent":100,"rungs":["480p"],"updated":0}"#,
            ),
            (
                JobStatus::ended(JobState::Waiting, None),
                r#"{"state":"waiting","percent":0,"rungs":[],"updated":0}"#,
            ),
            (
                JobStatus::ended(JobState::Failed, Some(UploaderError::TooLarge)),
                r#"{"state":"failed","percent":0,"rungs":[],"error":{"code":"too_large","text":"The recording is larger than this school accepts. Upload a smaller file, for example an export at a lower bitrate."},"updated":0}"#,
            ),
        ] {
            let json = serde_json::to_string(&status).expect("JSON");
            assert_eq!(json, expected);
        }
    }
}
