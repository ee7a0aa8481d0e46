//! `cargo real-node`: the operator's image and chart on a real node, with kubelet, container runtime and a network plugin that enforces
//! policies. Each step prints what was seen, and fails where it is not what has to be.

mod disturb;
mod images;
mod install;
mod node;
mod objects;
mod seen;

use std::{path::Path, time::Instant};

use anyhow::{Context, Result};

use crate::Helm;
use node::Node;
pub use node::down;

/// Brings a node up, takes all steps on it and takes it down, also when a step fails.
///
/// # Errors
/// With the step, and what was seen instead of what has to be.
pub fn run(program: &Path) -> Result<()> {
    images::operator_is_built()?;
    let helm = Helm::four()?;
    let began = Instant::now();
    let taken = step("a fresh cluster", || Node::up(program)).and_then(|node| {
        let taken = steps(&node, &helm);
        if taken.is_err() {
            seen::explain(&node);
        }
        taken
    });
    let down = step("the cluster is taken down", || down(program));
    taken.and(down)?;
    println!("all steps taken in {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}

fn steps(node: &Node, helm: &Helm) -> Result<()> {
    let images = step("images on the node", || install::images(node))?;
    step("the chart in an empty namespace with Pod Security restricted", || install::chart(node, helm, &images))?;
    step("examples/quickstart with pods", || install::quickstart(node, &images))?;
    step("ingress by a controller's pod", || install::ingress(node, &images))?;
    step("the leader's pod is killed", || disturb::leader_killed(node))?;
    step("the node is drained", || disturb::drained(node))?;
    step("the operator is upgraded under load", || disturb::upgraded(node, helm))?;
    step("the operator is uninstalled", || disturb::uninstalled(node, helm))
}

fn step<T>(name: &str, take: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("{name}");
    let began = Instant::now();
    let seen = take().with_context(|| name.to_owned())?;
    println!("  {:.1} s", began.elapsed().as_secs_f64());
    Ok(seen)
}
