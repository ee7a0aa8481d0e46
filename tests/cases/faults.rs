//! What the operator makes of a death at any moment, and of an API server that refuses, keeps silent, or tells of former
//! times. Between the two stands a proxy; nothing else in the operator or the control plane knows of it.

mod crash;
mod lease;
mod refused;
mod stale;
mod steps;
mod watches;
mod world;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use acceptance::{Operator, Proxy};
use tokio::time::sleep;

use crate::{
    alone::{Alone, process::Process},
    cluster::Person,
};
use world::{Worlds, worlds};

/// Quiet for so long, the operator has nothing more to do: it waits for nothing that comes later than this.
const QUIET: Duration = Duration::from_millis(700);

/// After the last fault everything is in order within this time.
const RECOVERS_WITHIN: Duration = Duration::from_secs(30);

/// An operator that reaches the API server through a proxy.
struct Faulty {
    operator: Operator,
    started: Instant,
    // Dropped after the operator, whose files it keeps.
    proxy: Proxy,
}

impl Faulty {
    async fn start(alone: &Alone) -> Self {
        Self::start_with(alone, alone.program, |_| {}).await
    }

    /// Starts one of many workers: a tenant whose requests are held up keeps one busy.
    async fn start_many(alone: &Alone) -> Self {
        Self::start_with(alone, &with_many_workers(alone), |_| {}).await
    }

    /// Starts it behind a proxy that is prepared first.
    async fn start_with(alone: &Alone, program: &Path, prepare: impl FnOnce(&Proxy)) -> Self {
        Operator::clear_lease(alone.plane).await.unwrap(); // a killed one has left it behind
        let proxy = Proxy::before(alone.plane).await.unwrap();
        prepare(&proxy);
        let operator = Operator::start_program(proxy.plane(), program).await.unwrap_or_else(|error| panic!("{error:#}"));
        Self { operator, started: Instant::now(), proxy }
    }

    /// Kills it.
    fn end(self) {
        Process::operator(&self.operator).unwrap().kill();
    }

    /// Waits until these tenants are told of, nothing ends any more, and the operator has come to rest.
    async fn settled(&self, admin: &Person, tenants: &[String]) -> Worlds {
        let begin = Instant::now();
        loop {
            let waits_for = if self.quiet_for(tenants) < QUIET {
                "the operator writes on".to_owned()
            } else {
                let worlds = worlds(admin, tenants).await;
                match worlds.iter().find_map(|(tenant, world)| Some((tenant, world.unfinished()?))) {
                    None => return worlds,
                    Some((tenant, object)) => format!("{tenant}: {object}"),
                }
            };
            let since = self.proxy.last_fault().map_or(begin, |fault| fault.max(begin));
            assert!(since.elapsed() < RECOVERS_WITHIN, "{} s after the last fault: {waits_for}", RECOVERS_WITHIN.as_secs());
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// How long nothing has been written in these tenants' names.
    fn quiet_for(&self, tenants: &[String]) -> Duration {
        let last = self.proxy.last_write(|tenant| tenants.iter().any(|ours| ours == tenant));
        last.unwrap_or(self.started).elapsed()
    }
}

fn with_many_workers(alone: &Alone) -> PathBuf {
    let wrapper = alone.plane.directory().join("with-many-workers");
    if !wrapper.exists() {
        fs::write(&wrapper, format!("#!/bin/sh\nexec '{}' \"$@\" --workers 64\n", alone.program.display())).unwrap();
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o700)).unwrap();
    }
    wrapper
}
