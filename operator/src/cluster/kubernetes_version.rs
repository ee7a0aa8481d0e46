//! Which versions of Kubernetes the operator runs on.

use std::{fmt, time::Duration};

use k8s_openapi::apimachinery::pkg::version::Info;
use kube::Client;

/// The oldest one that takes the definitions: earlier ones estimate rules over quantities without regard to how long these may be.
pub const OLDEST: Version = Version { major: 1, minor: 34 };

/// A version, without what patches change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Longest wait for the answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the API server for its version. Whether it answers at all is the probe's business.
///
/// # Errors
/// When it is too old.
pub async fn check(client: &Client) -> anyhow::Result<()> {
    match tokio::time::timeout(TIMEOUT, client.apiserver_version()).await {
        Ok(Ok(info)) => judge(&info).map_err(anyhow::Error::msg),
        _ => Ok(()),
    }
}

/// Whether the operator runs on this version. One that cannot be read passes.
///
/// # Errors
/// When it is too old.
pub fn judge(info: &Info) -> Result<(), String> {
    match read(&info.major, &info.minor).filter(|version| *version < OLDEST) {
        Some(version) => Err(format!("this cluster runs Kubernetes {version}; govcloud needs {OLDEST} or later")),
        None => Ok(()),
    }
}

/// Reads a version as the API server tells it; a vendor may add something to the minor one, such as `33+`.
fn read(major: &str, minor: &str) -> Option<Version> {
    let minor = minor.split(|letter: char| !letter.is_ascii_digit()).next()?;
    Some(Version { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vendors_add_to_a_version_is_passed_over() {
        let minor = |major, minor| read(major, minor).map(|version| version.to_string());
        assert_eq!(minor("1", "33").as_deref(), Some("1.33"));
        assert_eq!(minor("1", "33+").as_deref(), Some("1.33"));
        assert_eq!(minor("1", "37-gke").as_deref(), Some("1.37"));
        assert_eq!((minor("", ""), minor("1", "x")), (None, None));
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(read("1", "9") < Some(OLDEST) && read("1", "33") < Some(OLDEST));
        assert!(read("1", "34") >= Some(OLDEST) && read("1", "100") >= Some(OLDEST) && read("2", "0") >= Some(OLDEST));
    }
}
