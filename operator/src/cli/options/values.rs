//! How the values of options are read, on the command line and in the file.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    num::NonZeroU16,
};

use govcloud_core::{
    api::{Quantity, Resources, agency_tenant::Role},
    model::{
        amounts::{Amount, Amounts, amounts},
        settings::{image_prefix, labels, namespace},
    },
};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error};

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("'{text}' is not an address with a port; write for example 0.0.0.0:8080"))
}

pub(super) fn workers(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=256).contains(number));
    number.ok_or_else(|| format!("'{text}' is not a number from 1 to 256"))
}

pub(super) fn port(text: &str) -> Result<NonZeroU16, String> {
    text.parse().map_err(|_| format!("'{text}' is not a port from 1 to 65535"))
}

pub(super) fn cache(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("'{text}' is not an address; write for example 169.254.20.10"))
}

pub(super) fn range(text: &str) -> Result<IpNet, String> {
    text.parse().map_err(|_| format!("'{text}' is not a range of addresses; write for example 10.0.0.0/8"))
}

/// A text or a number of the file, as it would stand on the command line.
#[derive(Deserialize)]
#[serde(untagged, expecting = "it is neither a text nor a number")]
enum Word {
    Text(String),
    Number(u64),
}

impl Word {
    fn read<T>(&self, read: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
        match self {
            Self::Text(text) => read(text),
            Self::Number(number) => read(&number.to_string()),
        }
    }
}

/// Reads a field of the file by the rule of its flag.
fn checked<'de, D: Deserializer<'de>, T>(field: D, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, D::Error> {
    let word: Option<Word> = Option::deserialize(field)?;
    word.map(|word| word.read(read)).transpose().map_err(D::Error::custom)
}

/// Reads a list of the file by the rule of its flag.
fn checked_list<'de, D: Deserializer<'de>, T>(field: D, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<Vec<T>>, D::Error> {
    let words: Option<Vec<Word>> = Option::deserialize(field)?;
    words.map(|words| words.iter().map(|word| word.read(&read)).collect()).transpose().map_err(D::Error::custom)
}

pub(super) fn checked_address<'de, D: Deserializer<'de>>(field: D) -> Result<Option<SocketAddr>, D::Error> {
    checked(field, address)
}

pub(super) fn checked_workers<'de, D: Deserializer<'de>>(field: D) -> Result<Option<usize>, D::Error> {
    checked(field, workers)
}

pub(super) fn checked_namespace<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    checked(field, namespace)
}

pub(super) fn checked_port<'de, D: Deserializer<'de>>(field: D) -> Result<Option<NonZeroU16>, D::Error> {
    checked(field, port)
}

pub(super) fn checked_caches<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Vec<IpAddr>>, D::Error> {
    checked_list(field, cache)
}

pub(super) fn checked_ranges<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Vec<IpNet>>, D::Error> {
    match checked_list(field, range)? {
        Some(ranges) if ranges.is_empty() => {
            Err(D::Error::custom("without a range, agencies' egress may open the cluster itself; name its own"))
        }
        ranges => Ok(ranges),
    }
}

pub(super) fn checked_images<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Vec<String>>, D::Error> {
    checked_list(field, image_prefix)
}

pub(super) fn checked_selector<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Vec<(String, String)>>, D::Error> {
    let Some(selector) = Option::<BTreeMap<String, String>>::deserialize(field)? else { return Ok(None) };
    if selector.is_empty() {
        return Err(D::Error::custom(
            "no label selects every pod of the namespace; name those of the DNS servers, for example k8s-app: kube-dns",
        ));
    }
    labels(&selector).map_err(D::Error::custom)?;
    Ok(Some(selector.into_iter().collect()))
}

pub(super) fn percent(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=100).contains(number));
    number.ok_or_else(|| format!("'{text}' is not a percentage from 1 to 100"))
}

/// An amount as key=quantity.
pub(in crate::cli) fn amount(text: &str) -> Result<(String, Amount), String> {
    let (key, quantity) = text.split_once('=').ok_or_else(|| format!("'{text}' is not an amount; write for example requests.cpu=4"))?;
    Ok((key.to_owned(), Amount::parse(quantity)?))
}

/// A role that a policy may give: an Owner decides over all others.
pub(super) fn role(text: &str) -> Result<Role, String> {
    match text {
        "Deployer" => Ok(Role::Deployer),
        "Auditor" => Ok(Role::Auditor),
        _ => Err(format!("'{text}' is not Deployer or Auditor; a person approves every other role")),
    }
}

pub(super) fn checked_percent<'de, D: Deserializer<'de>>(field: D) -> Result<Option<u32>, D::Error> {
    checked(field, percent)
}

pub(super) fn checked_amounts<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Vec<(String, Amount)>>, D::Error> {
    let Some(words) = Option::<BTreeMap<String, Quantity>>::deserialize(field)? else { return Ok(None) };
    let read: Result<Amounts, _> = amounts(&Resources::from_iter(words));
    read.map(|amounts| Some(amounts.into_iter().collect())).map_err(|(key, complaint)| D::Error::custom(format!("{key}: {complaint}")))
}

pub(super) fn checked_roles<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Vec<Role>>, D::Error> {
    checked_list(field, role)
}

pub(super) fn checked_egress<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Vec<IpNet>>, D::Error> {
    checked_list(field, range)
}

pub(super) fn checked_namespaces<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Vec<String>>, D::Error> {
    checked_list(field, namespace)
}
