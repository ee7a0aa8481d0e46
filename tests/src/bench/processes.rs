//! What the processes below this one cost: processor time and memory, from `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process;

use anyhow::{Context, Result};

/// The kernel counts processor time in hundredths of a second, on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// The parts that are told apart.
pub const HARNESS: &str = "bench-cloud";
/// The operator's part.
pub const OPERATOR: &str = "govcloud";
/// The API server's part.
pub const API_SERVER: &str = "kube-apiserver";
const CONTROL_PLANE: [&str; 5] = [API_SERVER, "kube-controller-manager", "etcd", "kube-scheduler", "kwok"];

struct Process {
    id: u32,
    parent: u32,
    cpu_seconds: f64,
}

/// Processor seconds so far of this program and of all that it has started and that still run, by part.
pub fn cpu_seconds() -> Result<BTreeMap<String, f64>> {
    let mut parts = BTreeMap::new();
    for process in family()?.into_iter().filter(|process| process.cpu_seconds > 0.0) {
        *parts.entry(part(process.id)).or_insert(0.0) += process.cpu_seconds;
    }
    Ok(parts)
}

/// What was spent between two looks.
pub fn spent(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    after.iter().map(|(part, seconds)| (part.clone(), seconds - before.get(part).unwrap_or(&0.0))).collect()
}

/// Resident memory of the operator in MiB: now, and at its highest.
pub fn operator_memory() -> Result<(f64, f64)> {
    let operators = family()?.into_iter().map(|process| process.id).filter(|id| part(*id) == OPERATOR);
    let [id] = operators.collect::<Vec<_>>()[..] else { anyhow::bail!("there is not exactly one operator process") };
    let path = format!("/proc/{id}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let mib = |field: &str| kibibytes(&status, field).map(|kib| kib / 1024.0).with_context(|| format!("no {field} in {path}"));
    Ok((mib("VmRSS:")?, mib("VmHWM:")?))
}

/// Memory of this machine in GiB.
pub fn machine_memory() -> Result<f64> {
    let text = fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
    kibibytes(&text, "MemTotal:").map(|kib| kib / 1024.0 / 1024.0).context("no MemTotal in /proc/meminfo")
}

/// Processes that wanted to run in the last minute: far more than cores, and the figures are those of a busy machine.
pub fn load() -> Result<String> {
    let text = fs::read_to_string("/proc/loadavg").context("reading /proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}

fn kibibytes(text: &str, field: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(field))?.split_whitespace().next()?.parse().ok()
}

/// This process and all below it.
fn family() -> Result<Vec<Process>> {
    let entries = fs::read_dir("/proc").context("looking for processes in /proc; this needs Linux")?;
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // A process may end between the two looks.
    let all: Vec<Process> = ids.filter_map(|id| read(id, &fs::read_to_string(format!("/proc/{id}/stat")).ok()?)).collect();
    let mut family = BTreeSet::from([process::id()]);
    let mut before = 0;
    while family.len() > before {
        before = family.len();
        family.extend(all.iter().filter(|process| family.contains(&process.parent)).map(|process| process.id).collect::<Vec<_>>());
    }
    Ok(all.into_iter().filter(|process| family.contains(&process.id)).collect())
}

fn read(id: u32, stat: &str) -> Option<Process> {
    // The name in parentheses may itself hold spaces and parentheses.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks: u32 = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    Some(Process { id, parent: fields.get(1)?.parse().ok()?, cpu_seconds: f64::from(ticks) / TICKS_PER_SECOND })
}

fn part(id: u32) -> String {
    if id == process::id() {
        return HARNESS.into();
    }
    let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let mut words = line.split('\0');
    let (program, first) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match program.rsplit('/').next() {
        Some("govcloud") => OPERATOR.into(),
        _ if CONTROL_PLANE.contains(&first) => first.into(),
        _ => "others".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let process = read(7, "7 (a) b (c) S 3 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 8 0 100 1000 200").unwrap();
        assert_eq!((process.id, process.parent), (7, 3));
        assert!((process.cpu_seconds - 2.0).abs() < 1e-9);
    }

    #[test]
    fn this_program_is_of_its_own_family() {
        assert!(family().unwrap().iter().any(|process| part(process.id) == HARNESS));
        cpu_seconds().unwrap();
        assert!(machine_memory().unwrap() > 0.1);
        load().unwrap().parse::<f64>().unwrap();
    }
}
