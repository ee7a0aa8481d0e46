//! How long each case takes: a line "seconds start case" for each in the file that `GOVCLOUD_CASE_TIMES` names.

use std::{
    env,
    fs::File,
    io::Write,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

thread_local! {
    // Each case has a thread of its own, whose name is the case's and which ends with it.
    static CASE: Case = Case::begin();
}

struct Case {
    name: String,
    begin: Instant,
    start: Duration,
}

/// Takes the time of the case that calls this, from its first call on.
pub fn take() {
    CASE.with(|_| ());
}

impl Case {
    fn begin() -> Self {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        let begin = Instant::now();
        let name = thread::current().name().unwrap_or_default().to_owned();
        Self { name, begin, start: begin.duration_since(*FIRST.get_or_init(|| begin)) }
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let Some(path) = env::var_os("GOVCLOUD_CASE_TIMES") else { return };
        if !self.name.contains("::") {
            return; // a thread of a runtime, in which a case does a part of its work
        }
        let line = format!("{:.1} {:.1} {}\n", self.begin.elapsed().as_secs_f64(), self.start.as_secs_f64(), self.name);
        // In one write, so that lines of cases that end at the same time do not mix.
        let written = File::options().create(true).append(true).open(&path).and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            eprintln!("writing to {}: {error}", path.display());
        }
    }
}
