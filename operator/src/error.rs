//! What can go wrong between the operator and the API server, in one enum.

use std::time::Duration;

use govcloud_core::{api::conditions::reason, children::difference::Contender};

/// However long the API server wants to be left alone, it is asked again after this time.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Why a request did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server said no. Its message names verb and resource, or field and value.
    #[error("{message}")]
    Refused {
        /// HTTP status code.
        code: u16,
        /// The API server's own words.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// No answer, or none that can be read.
    #[error("the API server did not answer: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("the API server did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// Another replica leads, or may lead by now.
    #[error("not sent: this replica does not hold the lease")]
    NotLeading,
    /// A namespace of this name exists and is no tenant's.
    #[error("{0}")]
    ForeignNamespace(String),
    /// A namespace of this name exists and was made for another tenant.
    #[error("{0}")]
    Orphan(String),
    /// It was written by another since it was looked at; the next look sees it as it is now.
    #[error("another client changed the object at the same time; the operator tries again")]
    Stale,
    /// Another program undoes each repair: who keeps doing what.
    #[error("{0}; the operator restores it at growing intervals of up to 10 s: stop that program")]
    RepairThrottled(String),
    /// Written, and yet not as planned.
    #[error("{} is not as it was written: an admission webhook or policy, or {}, changes it; find and stop that one", .0.field, .0.program)]
    Contested(Contender),
    /// The reconcile itself broke down.
    #[error("the reconcile panicked: {0}; this is a bug of the operator")]
    Panicked(String),
}

impl Error {
    /// The same in one word: a reason of a condition, and a label of a metric.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused { code: 401, .. } => reason::FORBIDDEN,
            // Admission answers 403 too: a quota that is used up, a namespace that is ending.
            Self::Refused { code: 403, message, .. } if message.contains(" cannot ") => reason::FORBIDDEN,
            Self::Refused { code: 403, message, .. } if message.contains("is being terminated") => reason::UNAVAILABLE,
            Self::Refused { code: 403, message, .. } if message.contains("status unknown for quota") => reason::QUOTA_NOT_LIVE,
            Self::Refused { code: 409 | 429 | 500.., .. }
            | Self::Unreachable(_)
            | Self::TimedOut(_)
            | Self::NotLeading
            | Self::Stale
            | Self::Panicked(_) => reason::UNAVAILABLE,
            Self::Refused { .. } => reason::REFUSED,
            Self::ForeignNamespace(_) => reason::CONFLICT,
            Self::Orphan(_) => reason::ORPHAN_OF,
            Self::Contested(_) | Self::RepairThrottled(_) => reason::CONTESTED,
        }
    }

    /// Whether waiting alone will not cure it.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        matches!(self.reason(), reason::REFUSED | reason::CONFLICT | reason::ORPHAN_OF)
    }

    /// Whether it is only that another wrote meanwhile.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Stale) || self.is_code(409)
    }

    /// How long to wait at least before the next try, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the object was refused for what it holds, above all for its size: an annotation of it, or the whole of it.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::Refused { code: 413 | 422, .. })
            || matches!(self, Self::Refused { code: 500, message, .. } if message.contains("request is too large"))
    }

    /// Whether the API server answered with this status code.
    #[must_use]
    pub fn is_code(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == wanted)
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => {
                let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
                let retry_after = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)).min(LONGEST_WAIT));
                Self::Refused { code: status.code, message: status.message, retry_after }
            }
            other => Self::Unreachable(with_causes(&other)),
        }
    }
}

/// An error with what lies behind it: the outermost text of a network error says little.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}
