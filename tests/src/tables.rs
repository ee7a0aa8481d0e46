//! The two tables at the end of the demo: agencies, and systems with their share of the agency's quota.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde_json::Value;

use crate::rollout::{Item, Rollout, State};

const CPU: &str = "requests.cpu";
const MEMORY: &str = "requests.memory";

/// One line for each agency.
#[must_use]
pub fn agencies(rollout: &Rollout) -> Table {
    let mut table = table(&["AGENCY", "NAME", "SYSTEMS", "CPU GIVEN/TOTAL", "MEMORY GIVEN/TOTAL", "READY"]);
    for (name, item) in &rollout.tenants {
        let count = item.value("/status/systems/total").map_or_else(|| "-".to_owned(), Value::to_string);
        let given = |resource| {
            let of = |figure| amount(item, &format!("/status/quota/{figure}"), resource).unwrap_or_else(|| "-".to_owned());
            format!("{}/{}", of("allocated"), of("total"))
        };
        table.add_row([name.clone(), text(item, "/spec/displayName"), count, given(CPU), given(MEMORY), ready(item)]);
    }
    table
}

/// One line for each system.
#[must_use]
pub fn systems(rollout: &Rollout) -> Table {
    let mut table = table(&["AGENCY", "SYSTEM", "STAGE", "NAMESPACE", "CPU", "MEMORY", "READY"]);
    for ((agency, name), item) in &rollout.systems {
        let tenant = rollout.tenants.get(agency);
        let share = |resource| share(item, tenant, resource);
        table.add_row([
            agency.clone(),
            name.clone(),
            text(item, "/status/stage"),
            text(item, "/status/namespace"),
            share(CPU),
            share(MEMORY),
            ready(item),
        ]);
    }
    table
}

pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table
}

fn text(item: &Item, pointer: &str) -> String {
    item.value(pointer).and_then(Value::as_str).unwrap_or("-").to_owned()
}

fn ready(item: &Item) -> String {
    match item.state() {
        State::Ready => "True".to_owned(),
        State::NotReady { reason, .. } => format!("False ({reason})"),
    }
}

fn amount(item: &Item, map: &str, resource: &str) -> Option<String> {
    Some(item.value(map)?.get(resource)?.as_str()?.to_owned())
}

/// What a system was granted, and how much of its agency's total that is.
fn share(item: &Item, tenant: Option<&Item>, resource: &str) -> String {
    let Some(granted) = amount(item, "/status/granted", resource) else { return "-".to_owned() };
    let total = tenant.and_then(|tenant| amount(tenant, "/status/quota/total", resource));
    match (number(&granted), total.as_deref().and_then(number)) {
        (Some(part), Some(whole)) if whole > 0.0 => format!("{granted} ({:.0} %)", 100.0 * part / whole),
        _ => granted,
    }
}

/// A Kubernetes quantity as a number, exact enough for a percentage.
fn number(quantity: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 14] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
    ];
    let scaled = SUFFIXES.iter().find_map(|(suffix, factor)| Some((quantity.strip_suffix(suffix)?, factor)));
    let (digits, factor) = scaled.unwrap_or((quantity, &1.0));
    digits.parse::<f64>().ok().map(|value| value * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_of_any_unit_compare() {
        let ratio = |part, whole| number(part).unwrap() / number(whole).unwrap();
        for (part, whole, expected) in
            [("500m", "1", 0.5), ("512Mi", "2Gi", 0.25), ("1k", "4000", 0.25), ("0", "8", 0.0), ("1e3", "2e3", 0.5)]
        {
            assert!((ratio(part, whole) - expected).abs() < 1e-9, "{part} of {whole}");
        }
        assert_eq!(number("lots"), None);
    }
}
