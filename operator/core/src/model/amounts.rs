//! Amounts of resources: exact arithmetic on Kubernetes quantities.

use std::{collections::BTreeMap, fmt};

use crate::api::{Quantity, Resources};

/// An amount in thousandths of its unit (cores, bytes or pieces), never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

/// Amounts by quota key. A key that is absent stands for 0.
pub type Amounts = BTreeMap<String, Amount>;

/// Keys that every quota carries, whether the total names them or not. Ephemeral storage is counted only where the total names it:
/// with an amount of 0, a pod that says what it needs would be refused, and one that says nothing admitted.
pub const STANDARD_KEYS: [&str; 6] = ["requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "requests.storage", "pods"];

/// Keys that a share leaves out, each with the key that it names and they follow.
pub type Follows = BTreeMap<String, String>;

const MILLI: i128 = 1000;
/// The schema's bound, 1E.
const LARGEST: i128 = 1_000_000_000_000_000_000 * MILLI;
const DECIMAL: [(&str, i128); 6] = [
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
];
const BINARY: [(&str, i128); 6] = [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1 << 40), ("Pi", 1 << 50), ("Ei", 1 << 60)];

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many whole pieces.
    #[must_use]
    pub fn whole(number: u32) -> Self {
        Self(i128::from(number) * MILLI)
    }

    /// Reads a quantity; fractions of a thousandth are rounded up, as Kubernetes does.
    ///
    /// # Errors
    /// Text that is no quantity, is negative, or is above 1E.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not a quantity between 0 and 1E; write for example 500m, 4 or 160Gi");
        let text = text.strip_prefix('+').unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (integer, fraction) = number.split_once('.').unwrap_or((number, ""));
        let integer_digits = integer.trim_start_matches('0');
        if (integer.is_empty() && fraction.is_empty()) || fraction.contains('.') || integer_digits.len() > 22 {
            return Err(wrong());
        }
        let (fraction, finer) = fraction.split_at(fraction.len().min(9));
        let digits: i128 = format!("0{integer_digits}{fraction}").parse().map_err(|_| wrong())?;
        let digits = digits + i128::from(finer.contains(|digit| digit != '0'));
        let below = 10_i128.pow(u32::try_from(fraction.len()).map_err(|_| wrong())?);
        let (times, by) = scale(suffix).ok_or_else(wrong)?;
        let product = digits.checked_mul(times).and_then(|n| n.checked_mul(MILLI)).ok_or_else(wrong)?;
        let amount = ceiling(product, below.checked_mul(by).ok_or_else(wrong)?);
        if amount > LARGEST { Err(wrong()) } else { Ok(Self(amount)) }
    }

    /// What is left above `other`, 0 where nothing is.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self((self.0 - other.0).max(0))
    }

    /// Sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// So many percent of it.
    #[must_use]
    pub fn percent(self, percent: u32) -> Self {
        Self(self.0.saturating_mul(i128::from(percent)) / 100)
    }

    /// Whether it is a whole number of its unit.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.0 % MILLI == 0
    }

    /// The amount in its unit, for a gauge.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a gauge is as exact as a float")]
    pub fn in_units(self) -> f64 {
        self.0 as f64 / MILLI as f64
    }

    /// This amount in percent of a whole, rounded up; 0 of nothing.
    #[must_use]
    pub fn percent_of(self, whole: Self) -> u64 {
        if whole == Self::ZERO { 0 } else { u64::try_from(ceiling(self.0.saturating_mul(100), whole.0)).unwrap_or(u64::MAX) }
    }

    /// This amount times `part`/`whole`, rounded down to what people would write: a whole Mi of bytes, a thousandth else.
    #[must_use]
    pub fn in_proportion(self, part: Self, whole: Self, key: &str) -> Self {
        if whole == Self::ZERO {
            return Self::ZERO;
        }
        let exact = match self.0.checked_mul(part.0) {
            Some(product) => product / whole.0,
            None => (self.0 / whole.0).saturating_mul(part.0),
        };
        let exact = exact.min(LARGEST);
        let step = if is_bytes(key) { MILLI << 20 } else { 1 };
        Self(exact / step * step)
    }

    /// The amount as Kubernetes would write it for this quota key: bytes with the suffix that makes the shortest
    /// text, cores whole or in thousandths (`m`), all else whole.
    #[must_use]
    pub fn text(self, key: &str) -> String {
        if is_bytes(key) {
            return shortest(ceiling(self.0, MILLI));
        }
        if self.0 % MILLI == 0 { (self.0 / MILLI).to_string() } else { format!("{}m", self.0) }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(""))
    }
}

fn is_bytes(key: &str) -> bool {
    key.ends_with("memory") || key.ends_with("storage") || key.contains("hugepages-")
}

fn ceiling(number: i128, by: i128) -> i128 {
    (number + by - 1) / by
}

/// A suffix as multiplier and divisor.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    if let Some((_, times)) = DECIMAL.iter().chain(&BINARY).find(|(name, _)| *name == suffix) {
        return Some((*times, 1));
    }
    match suffix {
        "" => Some((1, 1)),
        "m" => Some((1, 1_000)),
        "u" => Some((1, 1_000_000)),
        "n" => Some((1, 1_000_000_000)),
        _ => {
            // Beyond these exponents only 0 is within bounds, or all is below the least amount.
            let exponent: i8 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = |exponent: u8| 10_i128.pow(u32::from(exponent));
            Some(match exponent {
                0.. => (power(exponent.unsigned_abs().min(19)), 1),
                _ => (1, power(exponent.unsigned_abs().min(28))),
            })
        }
    }
}

fn shortest(bytes: i128) -> String {
    let with = |(suffix, unit): &(&str, i128)| (bytes != 0 && bytes % unit == 0).then(|| format!("{}{suffix}", bytes / unit));
    BINARY.iter().chain(&DECIMAL).filter_map(with).chain([bytes.to_string()]).min_by_key(String::len).unwrap_or_default()
}

/// Reads every amount of a map.
///
/// # Errors
/// The key and the complaint about its value.
pub fn amounts(resources: &Resources) -> Result<Amounts, (String, String)> {
    let read = |(key, quantity): (&String, &Quantity)| match Amount::parse(quantity.as_str()) {
        Ok(amount) => Ok((key.clone(), amount)),
        Err(complaint) => Err((key.clone(), complaint)),
    };
    resources.iter().map(read).collect()
}

/// Writes amounts as quantities.
#[must_use]
pub fn resources(amounts: &Amounts) -> Resources {
    amounts.iter().map(|(key, amount)| (key.clone(), Quantity(amount.text(key)))).collect()
}

/// The amount of a key, 0 where it is absent.
#[must_use]
pub fn of(amounts: &Amounts, key: &str) -> Amount {
    amounts.get(key).copied().unwrap_or_default()
}

/// Takes `less` off `sum`, key by key.
pub fn subtract(sum: &mut Amounts, less: &Amounts) {
    for (key, amount) in less {
        let left = of(sum, key).minus(*amount);
        if left == Amount::ZERO {
            sum.remove(key);
        } else {
            sum.insert(key.clone(), left);
        }
    }
}

/// Adds `more` to `sum`, key by key.
pub fn add(sum: &mut Amounts, more: &Amounts) {
    for (key, amount) in more {
        let entry = sum.entry(key.clone()).or_default();
        *entry = entry.plus(*amount);
    }
}

#[cfg(test)]
mod tests;
