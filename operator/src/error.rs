//! What can go wrong between the operator and the API server, in one enum.

use std::time::Duration;

use crate::status::conditions::reason;

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
    },
    /// No answer, or none that can be read.
    #[error("the API server did not answer: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("the API server did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// A namespace of this name exists and is not this tenant's.
    #[error("{0}")]
    Stranger(String),
    /// The caches do not hold what there is.
    #[error("{0} exists and no watch has told of it yet; nothing is closed on the word of a list of former times")]
    Behind(String),
    /// Written, and yet not as planned.
    #[error("it was written and came back otherwise: an admission rule or another program changes it; find and stop that one")]
    Contested,
    /// The quota is not in force, so nobody is let in.
    #[error("the quota is not in force yet, so nobody is let in; if this lasts, look after the controller manager")]
    QuotaNotLive,
}

impl Error {
    /// The same in one word: a reason of a condition, and a label of a metric.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused { code: 401, .. } => reason::FORBIDDEN,
            // Admission answers 403 too: a quota that is used up, a namespace that is ending.
            Self::Refused { code: 403, message } if message.contains(" cannot ") => reason::FORBIDDEN,
            Self::Refused { code: 403, message } if message.contains("is being terminated") => reason::UNAVAILABLE,
            Self::Refused { code: 409 | 429 | 500.., .. } | Self::Unreachable(_) | Self::TimedOut(_) | Self::Behind(_) => {
                reason::UNAVAILABLE
            }
            Self::Refused { .. } => reason::REFUSED,
            Self::Stranger(_) => reason::CONFLICT,
            Self::Contested => reason::CONTESTED,
            Self::QuotaNotLive => reason::QUOTA_NOT_LIVE,
        }
    }

    /// Whether waiting alone will not cure it.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        matches!(self.reason(), reason::REFUSED | reason::CONFLICT)
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
            kube::Error::Api(status) => Self::Refused { code: status.code, message: status.message },
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
