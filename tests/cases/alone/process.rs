//! Processes that the harness started, by what they were called with. Needs `/proc`.

use std::{fs, path::Path, process::Command};

use acceptance::{ControlPlane, Operator};

/// A running process.
pub struct Process(u32);

impl Process {
    /// The operator itself, not what binds it to this program.
    pub fn operator(operator: &Operator) -> Option<Self> {
        let address = operator.address().to_string();
        find(|words| words.first().is_some_and(|program| program.ends_with("/govcloud")) && words.contains(&address))
    }

    /// A component of a control plane, such as kube-apiserver.
    pub fn component(plane: &ControlPlane, name: &str) -> Option<Self> {
        let folder = format!("{}/", plane.kubeconfig().parent()?.display());
        find(|words| words.iter().any(|word| word == name) && words.iter().any(|word| word.contains(&folder)))
    }

    /// Processor time that it has used, in hundredths of a second.
    pub fn used(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap();
        // The name in brackets may hold spaces; user and system time are the 12th and 13th field after it.
        let fields = text.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
        fields.map(|field| field.parse::<u64>().unwrap()).sum()
    }

    /// Halts it until the returned value is dropped: connections are taken and nothing is answered.
    pub fn halt(self) -> Halted {
        self.signal("-STOP");
        Halted(self)
    }

    /// Ends it at once, as a crash does.
    pub fn kill(self) {
        self.signal("-KILL");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.0.to_string()]).status().unwrap();
        assert!(sent.success(), "kill {signal} {}: {sent}", self.0);
    }
}

/// A process that stands still.
pub struct Halted(Process);

impl Drop for Halted {
    fn drop(&mut self) {
        self.0.signal("-CONT");
    }
}

fn find(wanted: impl Fn(&[String]) -> bool) -> Option<Process> {
    let pids = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    pids.map(Process).find(|process| wanted(&words(&Path::new("/proc").join(process.0.to_string()).join("cmdline"))))
}

fn words(path: &Path) -> Vec<String> {
    let text = fs::read(path).unwrap_or_default();
    text.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}
