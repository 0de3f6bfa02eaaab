//! The kubeconfig an estate hands out, written as `kubectl config` would.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::HUB;
use super::access::ACCOUNTS;
use super::world::World;

/// Renders it: a context `hub` and one per member for admin, and `hub-USER` for the users who may less, and `estate` for
/// `lateen demo ctl`.
pub(crate) fn render(world: &World) -> String {
    let ca = STANDARD.encode(world.authority.pem());
    let context_name = |cluster: &str| if cluster == HUB { "hub".to_owned() } else { cluster.to_owned() };
    let mut out = String::from("apiVersion: v1\nkind: Config\ncurrent-context: hub\nclusters:\n");
    for cluster in world.clusters.iter().chain([&world.control]) {
        let name = context_name(&cluster.name);
        let _ = write!(
            out,
            "- name: {name}\n  cluster:\n    server: {}\n    certificate-authority-data: {ca}\n",
            cluster.url()
        );
    }
    out.push_str("contexts:\n");
    // No namespace, as most clusters' own kubeconfigs have none: tools take `default`, dashboards show all.
    let mut context = |name: &str, cluster: &str, user: &str| {
        let _ = write!(out, "- name: {name}\n  context:\n    cluster: {cluster}\n    user: {user}\n");
    };
    for cluster in &world.clusters {
        let name = context_name(&cluster.name);
        context(&name, &name, "admin");
    }
    context(&world.control.name, &world.control.name, ACCOUNTS[0].name);
    for user in ACCOUNTS.iter().skip(1) {
        context(&format!("hub-{}", user.name), "hub", user.name);
    }
    out.push_str("users:\n");
    for user in &ACCOUNTS {
        let _ = write!(out, "- name: {}\n  user:\n    token: {}\n", user.name, user.token);
    }
    out
}
