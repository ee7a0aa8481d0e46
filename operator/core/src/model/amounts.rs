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

/// Adds `more` to `sum`, key by key.
pub fn add(sum: &mut Amounts, more: &Amounts) {
    for (key, amount) in more {
        let entry = sum.entry(key.clone()).or_default();
        *entry = entry.plus(*amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_written_as_kubernetes_does() {
        let table = [
            ("requests.cpu", "40", "40"),
            ("requests.cpu", "1500m", "1500m"),
            ("requests.cpu", "2000m", "2"),
            ("requests.cpu", "0.1", "100m"),
            ("requests.cpu", "100u", "1m"),
            ("requests.memory", "160Gi", "160Gi"),
            ("requests.memory", "1.5Gi", "1536Mi"),
            ("requests.storage", "2T", "2T"),
            ("requests.memory", "1e3", "1k"),
            ("requests.memory", "1025", "1025"),
            ("pods", "400", "400"),
            ("pods", "1k", "1000"),
            ("requests.memory", "0", "0"),
            ("requests.cpu", "0.1000000000", "100m"),
            ("requests.cpu", "0e30", "0"),
            ("requests.cpu", "1e-99", "1m"),
            ("requests.memory", "10E17", "1E"),
            ("requests.cpu", "0.00000000001", "1m"),
            ("pods", "00000000000000000000000400", "400"),
        ];
        for (key, text, written) in table {
            assert_eq!(Amount::parse(text).unwrap().text(key), written, "{key}: {text}");
        }
    }

    #[test]
    fn every_suffix_has_its_worth_and_fractions_of_a_thousandth_are_rounded_up() {
        let table: [(&str, i128); 32] = [
            ("1", 1_000),
            ("+7", 7_000),
            ("5.", 5_000),
            (".5", 500),
            ("1m", 1),
            ("1500u", 2),
            ("2000001n", 3),
            ("1k", 1_000_000),
            ("1M", 1_000_000_000),
            ("1G", 1_000_000_000_000),
            ("1T", 1_000_000_000_000_000),
            ("1P", 1_000_000_000_000_000_000),
            ("1E", 1_000_000_000_000_000_000_000),
            ("1Ki", 1_024_000),
            ("1Mi", 1_048_576_000),
            ("1Gi", 1_073_741_824_000),
            ("1Ti", 1_099_511_627_776_000),
            ("1Pi", 1_125_899_906_842_624_000),
            ("0.5Ei", 576_460_752_303_423_488_000),
            ("1e3", 1_000_000),
            ("1E3", 1_000_000),
            ("1e-3", 1),
            ("15e-4", 2),
            ("2e-28", 1),
            ("1e18", LARGEST),
            ("0e127", 0),
            ("1.001", 1_001),
            ("1.000000001", 1_001),
            ("1.0000000001", 1_001),
            ("1.0000000000", 1_000),
            ("1000000000000000000000m", LARGEST),
            ("1000000000000000000", LARGEST),
        ];
        for (text, thousandths) in table {
            assert_eq!(Amount::parse(text).unwrap(), Amount(thousandths), "{text}");
        }
    }

    #[test]
    fn what_is_above_the_bound_by_the_least_or_has_too_many_digits_is_refused() {
        for text in ["1000000000000000000001m", "1000000000000000001", "1.000000001E", "1Ei", "10000000000000000000000n", "2e18", "1e20"] {
            assert!(Amount::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_have_the_suffix_of_the_shortest_text_and_nothing_else_has_one() {
        let text = |thousandths, key: &str| Amount(thousandths).text(key);
        for key in ["requests.memory", "memory", "limits.ephemeral-storage", "requests.hugepages-2Mi"] {
            assert_eq!(text(1_048_576_000, key), "1Mi", "{key}");
        }
        for (bytes, written) in [(1_000_000, "1M"), (1_024_000, "1024k"), (1_500, "1500"), (1_000, "1k"), (1 << 60, "1Ei"), (0, "0")] {
            assert_eq!(text(bytes * MILLI, "memory"), written);
        }
        assert_eq!((text(1, "memory"), text(1_001, "memory")), ("1".into(), "2".into()), "there are no parts of a byte");
        assert_eq!((text(1_048_576_000, "pods"), text(1_001, "cpu")), ("1048576".into(), "1001m".into()));
        assert_eq!(Amount(2_500).to_string(), "2500m");
    }

    #[test]
    fn a_sum_is_of_both_and_a_difference_never_below_nothing() {
        let [two, five] = [2, 5].map(Amount::whole);
        assert_eq!((two.plus(five), five.minus(two), two.minus(five)), (Amount(7_000), Amount(3_000), Amount::ZERO));
        let mut sum = Amounts::from([("cpu".to_owned(), two), ("pods".to_owned(), five)]);
        add(&mut sum, &Amounts::from([("cpu".to_owned(), five), ("memory".to_owned(), two)]));
        assert_eq!(["cpu", "memory", "pods", "other"].map(|key| of(&sum, key)), [Amount(7_000), two, five, Amount::ZERO]);
    }

    #[test]
    fn resources_are_read_and_written_by_their_keys_and_a_wrong_one_is_named() {
        let written = Resources::from([("pods".to_owned(), Quantity("3".into())), ("requests.memory".to_owned(), Quantity("1Gi".into()))]);
        let read = amounts(&written).unwrap();
        assert_eq!((of(&read, "pods"), resources(&read)), (Amount::whole(3), written));
        let (key, complaint) = amounts(&Resources::from([("pods".to_owned(), Quantity("many".into()))])).unwrap_err();
        assert!(key == "pods" && complaint.contains("'many'"), "{complaint}");
    }

    #[test]
    fn nonsense_is_refused_with_a_cure() {
        for text in ["", ".", "-1", "1.2.3", "four", "1Xi", "1e99", "1e19", "1e128", "2E", "99999999999999999999999", "1 Gi", "e3"] {
            let complaint = Amount::parse(text).unwrap_err();
            assert!(complaint.contains(text) && complaint.contains("160Gi"), "{complaint}");
        }
    }

    #[test]
    fn a_proportion_is_never_above_its_exact_value() {
        let [share, part, whole] = ["7", "80", "40"].map(|text| Amount::parse(text).unwrap());
        assert_eq!(share.in_proportion(part, whole, "limits.cpu").text("limits.cpu"), "14");
        let odd = Amount::parse("10Gi").unwrap().in_proportion(Amount::parse("1").unwrap(), Amount::parse("3").unwrap(), "limits.memory");
        assert_eq!(odd.text("limits.memory"), "3413Mi");
        assert_eq!(share.in_proportion(part, Amount::ZERO, "limits.cpu"), Amount::ZERO);
        let [least, most] = ["1m", "1E"].map(|text| Amount::parse(text).unwrap());
        assert_eq!(most.in_proportion(most, least, "limits.cpu"), most, "bounded");
        assert_eq!(most.in_proportion(most, most, "limits.cpu"), most);
        let table = [
            ("1", "1", "3", "cpu", "333m"),
            ("1", "2", "3", "pods", "666m"),
            ("1Mi", "2", "1", "memory", "2Mi"),
            ("1Mi", "1", "2", "memory", "0"),
        ];
        for (amount, part, whole, key, expected) in table {
            let [amount, part, whole] = [amount, part, whole].map(|text| Amount::parse(text).unwrap());
            assert_eq!(amount.in_proportion(part, whole, key).text(key), expected, "{part}/{whole} of {amount}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(milli in 0_i128..1_000_000_000_000_000_000) {
            let amount = Amount(milli);
            proptest::prop_assert_eq!(Amount::parse(&amount.text("requests.cpu")).unwrap(), amount);
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = Amount::parse(&text);
        }
    }
}
